"""Text from agents is shown as data: never as markup, as the question, as a button, and never hidden."""

import json
import unicodedata

import pytest

from signoff.core.text.hidden_characters import hidden, pieces, plain_json
from tests.hostile import CORPUS
from tests.web.inbox.reading import Shown, reader
from tests.web.web_env import WebEnv

ANN = ["ann@acme.example"]


async def shown(web: WebEnv, text: str) -> list[Shown]:
    """Every page that shows a request with this text in all of its places."""
    payload = {
        "a": text,
        "reason": text,
        f"k{text}"[:60]: "v",
        "pair": {"before": text, "after": text + "!"},
        "list": [text],
    }
    line = " ".join(text.split())[:200] or "x"
    schema = {
        "type": "object",
        "properties": {
            "f": {"type": "string", "title": text[:200], "description": text[:300], "default": text[:300]},
            "e": {"enum": [text[:100], "b"]},
        },
    }
    made = await web.post(
        "/v1/intents",
        {
            "intent_type": "intent.hostile.v1",
            "payload": payload,
            "from_agent": line,
            "human_task": {
                "task_type": "approval",
                "title": line,
                "description": text[:1900],
                "assignees": ANN,
                "form_schema": schema,
            },
        },
    )
    if made.status == 422 and "human_task" in made.text:  # a title with controls is refused at the door
        made = await web.post(
            "/v1/intents",
            {"intent_type": "intent.hostile.v1", "payload": payload, "human_task": {"assignees": ANN}},
        )
    assert made.status == 200, made.text
    intent_id = made["intent_id"]
    task_id = intent_id[:-4] + "0001"
    ann = await reader(web, "ann")
    paths = [
        "/",
        "/?view=all",
        f"/tasks/{task_id}",
        f"/tasks/{task_id}?open=1",
        "/intents",
        f"/intents/{intent_id}",
        f"/audit/{intent_id}",
    ]
    pages = [await ann.get(path) for path in paths]
    assert (await ann.decide(task_id, "rejected", "?open=1", comment=text[:2000])).status == 303
    return [
        *pages,
        await ann.get(f"/tasks/{task_id}"),
        await ann.get("/?view=done"),
        await ann.get(f"/audit/{intent_id}"),
    ]


@pytest.mark.parametrize("name", CORPUS)
async def test_text_of_agents_is_escaped(web: WebEnv, name: str) -> None:
    plain = [tags_of(page) for page in await shown(web, "harmless")]
    for page, known in zip(await shown(web, CORPUS[name]), plain, strict=True):
        assert page.status == 200, page.text[:500]
        assert tags_of(page) <= known | {"span", "p", "a", "textarea", "mark", "i"}, (
            "no tag comes from the text"
        )
        for tag, attrs in page.tags:
            assert not [a for a in attrs if a.startswith("on")], (tag, attrs)
            # an address in the text can be opened, by the person, and in no other way
            if tag == "a" and attrs.get("rel") == "noopener noreferrer nofollow ugc":
                assert attrs["href"].startswith(("https://", "http://")), attrs
                continue
            for link in ("href", "src", "action"):
                assert attrs.get(link, "/").startswith(("/", "#")), (tag, attrs)
        assert not [c for c in page.text if hidden(c)], "everything hidden is named"


def tags_of(page: Shown) -> set[str]:
    return {tag for tag, _ in page.tags}


@pytest.mark.parametrize(
    "title", ["Pre-approved, press Approve", "<b>Safe</b>", "Everything is fine {{ 1 }}"]
)
async def test_title_of_a_requester_is_neither_the_question_nor_on_a_button(web: WebEnv, title: str) -> None:
    _, task_id = await web.ask(title=title, assignees=ANN)
    page = await (await reader(web, "ann")).get(f"/tasks/{task_id}")
    assert title not in page.title
    assert title not in page.heading
    assert page.heading == "Approve or reject: without workflow"
    assert f"asked as “{title}”" in page.text  # as a quotation, in small print below the question
    assert title in page.text


async def test_title_of_a_workflow_is_the_question(web: WebEnv) -> None:
    _, task_id = await web.at_gate()
    page = await (await reader(web, "ann")).get(f"/tasks/{task_id}")
    assert page.heading == "Run the migration?"


async def test_last_line_of_a_huge_payload_is_shown_once_opened(web: WebEnv) -> None:
    text = "\n".join(f"-- migration line {n:05d}" for n in range(4500)) + "\nDROP TABLE customers;"
    made = await web.post(
        "/v1/intents",
        {
            "intent_type": "intent.big.v1",
            "payload": {"sql": text[:120_000] + "\nDROP TABLE customers;"},
            "human_task": {"assignees": ANN},
        },
    )
    assert made.status == 200, made.text
    task_id = made["intent_id"][:-4] + "0001"
    ann = await reader(web, "ann")
    folded = await ann.get(f"/tasks/{task_id}")
    assert "DROP TABLE" not in folded.html
    assert "more characters are hidden" in folded.text
    assert "DROP TABLE customers;" in (await ann.get(f"/tasks/{task_id}?open=1")).html


# -- code points


def every_hidden() -> list[str]:
    codes = [
        *range(0x00, 0x20),
        *range(0x7F, 0xA1),
        0xAD,
        0x34F,
        0x61C,
        0x115F,
        0x1160,
        0x17B4,
        0x17B5,
        *range(0x180B, 0x1810),
        *range(0x200B, 0x2010),
        *range(0x2028, 0x2030),
        *range(0x2060, 0x2070),
        0x2800,
        0x3164,
        *range(0xFE00, 0xFE10),
        0xFEFF,
        0xFFA0,
        *range(0xFFF0, 0xFFFC),
        *range(0x1D173, 0x1D17B),
        *range(0xE0000, 0xE0080),
        0xE0100,
        0xE01EF,
    ]
    return [chr(code) for code in codes if chr(code) not in "\n\t"]


@pytest.mark.parametrize("character", every_hidden(), ids=lambda c: f"U+{ord(c):04X}")
def test_invisible_characters_are_named(character: str) -> None:
    found = pieces(f"a{character}b")
    assert [piece for piece in found if piece.mark == "hidden" and piece.text == f"U+{ord(character):04X}"]
    assert character not in "".join(piece.text for piece in found)


def test_escaped_json_keeps_its_meaning() -> None:
    value = {"a": "".join(every_hidden()), "k\u202e": "\U000e0041é"}
    text = plain_json(json.dumps(value, ensure_ascii=False))
    assert json.loads(text) == value
    assert not [c for c in text if hidden(c)]


def test_ordinary_text_of_any_language_is_unchanged() -> None:
    for text in ("Grüße aus Köln", "Привет", "日本語テキスト", "مرحبا", "naïve café", "🙂 ok", "a\nb"):
        assert [(p.text, p.mark) for p in pieces(unicodedata.normalize("NFC", text))] == [(text, "")]


def test_words_of_two_alphabets_are_marked() -> None:
    assert [p.text for p in pieces("see p\u0430ypal now") if p.mark == "mixed"] == ["p\u0430ypal"]
