"""Directory lists, page by page."""

from signoff.engine.directory.listed import Listed


def words(listed: Listed[str], said: str = "", size: int = 2) -> list[list[str]]:
    """The pages of a list whose entries are their own keys."""
    pages, after = [], None
    while True:
        page = listed.page(said, after, size)
        pages.append(page.entries)
        if not page.more:
            return pages
        after = (page.entries[-1],)


def made(*entries: str) -> Listed[str]:
    return Listed(((entry,), f"{entry} of Acme", entry) for entry in entries)


def test_pages_are_in_order_without_gaps_or_repetitions() -> None:
    assert words(made("d", "a", "e", "b", "c")) == [["a", "b"], ["c", "d"], ["e"]]
    assert words(made("b", "a")) == [["a", "b"]]
    assert words(made()) == [[]]


def test_search_matches_all_words_in_any_order_and_case() -> None:
    listed = made("ann", "bob", "annabel", "carla")
    assert words(listed, "ACME ann") == [["ann", "annabel"]]
    assert words(listed, "a", 3) == [["ann", "annabel", "bob"], ["carla"]]
    assert words(listed, "nobody") == [[]]


def test_page_continues_after_a_removed_entry() -> None:
    assert made("a", "c").page("", ("b",), 5).entries == ["c"]
    assert made("a", "c").page("", ("c",), 5) == ([], False)
