"""Full-text search of requests: one rule for all lists.

Every word has to occur, in upper or lower case, in what the reader is shown of a request: ids, type, names of people
and agents, questions, and the payload without masked values.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from signoff.core.errors import Invalid
from signoff.core.plan.plan import HumanStep
from signoff.core.text import json_value
from signoff.core.text.masking import mask_text, masked, suspect
from signoff.store.transaction import Stored

_LONGEST: Final = 200
_MOST_WORDS: Final = 10


def search_terms(query: str) -> tuple[str, ...]:
    """The words of a search; raises Invalid if it is too long."""
    words = tuple(query.casefold().split())
    if len(query) > _LONGEST or len(words) > _MOST_WORDS:
        raise Invalid(
            "validation_error",
            f"q: a search is at most {_MOST_WORDS} words and {_LONGEST} characters.",
            field="q",
        )
    return words


def fits(stored: Stored, words: tuple[str, ...], display: Callable[[str], str]) -> bool:
    """Whether every word occurs in what is shown of the request."""
    if not words:
        return True
    intent = stored.intent
    titles = [
        mask_text(step.task.title, _nothing) for step in intent.plan.steps if isinstance(step, HumanStep)
    ]
    text = "\n".join(
        (
            intent.id, intent.type, intent.correlation_id, intent.scenario_id, intent.to_agent, intent.requester.id,
            intent.requester.address, display(intent.requester.id), intent.outcome, *titles,
        )
    )  # fmt: skip
    return stands_in(stored.payload, text, words)


def stands_in(payload: bytes, text: str, words: tuple[str, ...]) -> bool:
    """Whether every word occurs in the text about a request, or in what is shown of its payload."""
    text = text.casefold()
    missing = [word for word in words if word not in text]
    if not missing:
        return True
    plain = payload.decode("utf-8", "replace").casefold()
    if not all(word in plain for word in missing):  # masking only removes text
        return False
    shown = shown_payload(payload).casefold()
    return all(word in shown for word in missing)


def shown_payload(payload: bytes) -> str:
    """The payload's JSON text without secrets, because a search must not reveal masked values."""
    text = payload.decode("utf-8", "replace")
    if not suspect(text):
        return text
    return msgspec.json.encode(masked(json_value.decode(payload), _nothing, _nothing)).decode()


def _nothing(_: str) -> str:
    return ""
