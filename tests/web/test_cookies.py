"""Only our own cookies are read, in one pass."""

import pytest

from signoff.web.http.cookies import read_cookies


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("", {}),
        ("signoff_session=abc", {"signoff_session": "abc"}),
        ("a=1; __Host-signoff_session=abc ;b", {"__Host-signoff_session": "abc"}),
        ("signoff_form=1; signoff_form=2", {"signoff_form": "2"}),
        ("signoff_session=a=b==", {"signoff_session": "a=b=="}),
        ('signoff_session="' + "\\" * 20_000 + '"', {"signoff_session": '"' + "\\" * 20_000 + '"'}),
        ("x" * 100_000, {}),
        ("; ;=;==; signoff_x", {"signoff_x": ""}),
        ("xsignoff_session=1; Signoff_session=2", {}),
    ],
)
def test_cookies_are_parsed(header: str, found: dict[str, str]) -> None:
    assert read_cookies(header) == found


def test_cookies_of_others_are_ignored() -> None:
    assert read_cookies("; ".join(f"c{n}=1" for n in range(60_000)) + "; signoff_form=x") == {
        "signoff_form": "x"
    }
