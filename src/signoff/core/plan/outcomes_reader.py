"""Reads the outcomes that a workflow lists for a human step: built-in names, and custom ones that it defines itself."""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from signoff.core.plan.answers import usual_meaning
from signoff.core.plan.task_types import (
    BUILT_IN,
    ENDING_OF,
    MEANS,
    Ending,
    Meaning,
    Outcome,
    TaskType,
    meaning_of,
)
from signoff.core.text.describe import NAME, NAME_HINT, printable, suggestion
from signoff.core.text.document_reader import Fields
from signoff.core.text.struct_reader import DocumentStruct, read_struct

# Names of the endings without an answer.
_RESERVED: Final = frozenset(ending.value for ending in Ending if ending not in ENDING_OF.values()) | {
    Ending.SUPERSEDED
}
_MOST: Final = 20
_Line = Annotated[str, Meta(max_length=64)]


class OutcomeSource(DocumentStruct, frozen=True, kw_only=True):
    """An outcome that is written as an object: its name, its meaning, its route."""

    name: _Line
    label: _Line = ""
    means: Literal["approve", "reject", "changes"] | None = None
    goto: Annotated[str, Meta(max_length=100)] = ""
    counts_as: Literal["success"] | None = msgspec.field(name="as", default=None)

    @property
    def meaning(self) -> Meaning:
        return MEANS[self.means] if self.means else meaning_of(self.name)

    def check(self, fields: Fields) -> None:
        if not NAME.fullmatch(self.name):
            raise fields.invalid("name", f"{printable(self.name)!r} is not a name", hint=NAME_HINT)
        if self.name in _RESERVED:
            problem = f"{self.name!r} is reserved for tasks that end without an answer"
            raise fields.invalid("name", problem, hint="Choose another name.")
        if self.name not in BUILT_IN and not self.means:
            raise fields.invalid("means", "is required", code="missing_field")
        if self.name in BUILT_IN and self.meaning is not meaning_of(self.name):
            problem = f"{self.name!r} always means {_means(meaning_of(self.name))}"
            raise fields.invalid("means", problem, hint="Choose another name for it.")
        for field, word in (("name", self.name), ("label", self.label)):
            usual = usual_meaning(word)
            if usual is not None and usual is not self.meaning:
                problem = f"{printable(word)!r} is read as {_means(usual)}"
                raise fields.invalid(field, problem, hint="Choose another label for it.")
        if self.counts_as and (self.meaning is not Meaning.REJECTS or not fields.has("goto")):
            problem = "only has an effect together with goto, on an outcome that means reject"
            raise fields.invalid("as", problem)


def _means(meaning: Meaning) -> str:
    return next(word for word, meant in MEANS.items() if meant is meaning)


def read_outcomes(fields: Fields, name: str) -> tuple[Outcome, ...]:
    """Each entry is a built-in name or an object. A name without a meaning is refused."""
    listed = enumerate(fields.each(name, most=_MOST))
    return tuple(_read_outcome(fields, name, index, entry) for index, entry in listed)


def _read_outcome(fields: Fields, name: str, index: int, entry: object) -> Outcome:
    if not isinstance(entry, str):
        source = read_struct(OutcomeSource, fields.item(name, index, entry))
        return Outcome(source.name, source.meaning, source.label, source.goto, bool(source.counts_as))
    word = entry.strip()
    if word not in BUILT_IN:
        hint = suggestion(word, sorted(BUILT_IN)) or (
            f"Add its meaning: {{name: {printable(word) or 'NAME'}, means: approve}}, or reject, or changes."
        )
        raise fields.invalid(f"{name}[{index}]", f"the meaning of {printable(word)!r} is missing", hint=hint)
    return Outcome(word, meaning_of(word))


def listed_outcomes(
    fields: Fields, found: tuple[Outcome, ...], kind: TaskType
) -> tuple[tuple[str, ...], tuple[Outcome, ...]]:
    """Return the allowed outcomes, and the custom ones among them. Raises Invalid if two look the same, or if none
    means approve, or none means reject.
    """
    if not found:
        return kind.outcomes, ()
    words = [one.name for one in found]
    if twice := _repeated(words):
        raise fields.invalid("outcomes", f"{twice!r} is listed twice")
    if twice := _repeated([one.label for one in found if one.label]):
        raise fields.invalid("outcomes", f"two of them have the label {twice!r}")
    example = ", ".join(kind.outcomes)
    if not any(one.meaning is Meaning.APPROVES for one in found):
        problem = "none of these approves, so nothing could ever be approved"
        raise fields.invalid("outcomes", problem, hint=f"For example: {example}.")
    if twice := _repeated([word.lower() for word in words]):
        raise fields.invalid("outcomes", f"two of them are {twice!r} except for case")
    if all(one.meaning is Meaning.APPROVES for one in found) and kind is not TaskType.FORM:
        problem = "each of these approves, so no one could reject"
        hint = f"Add one that means reject, for example: {example}."
        raise fields.invalid("outcomes", problem, hint=hint)
    return tuple(words), tuple(one for one in found if one != Outcome(one.name, meaning_of(one.name)))


def _repeated(words: list[str]) -> str | None:
    return next((word for word in words if words.count(word) > 1), None)
