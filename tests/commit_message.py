"""The commit-msg hook: checks the form of a commit message, ``python tests/commit_message.py FILE``.

Prints every problem and exits with 1 if there is one. Merges and messages that a later rebase replaces are not checked.
"""

import re
import sys
from pathlib import Path

SUBJECT_LENGTH = 72
GENERATED = ("Merge ", 'Revert "', "fixup! ", "squash! ", "amend! ")
SCISSORS = re.compile(r"^# -+ >8 -+$", re.MULTILINE)
TRAILER = re.compile(r"[A-Z][A-Za-z]*(-[A-Za-z]+)+: \S")

# First words that are no imperative, and imperatives that look inflected.
NOT_A_VERB = re.compile(
    r"a|all|an|and|any|each|every|for|in|it|its|misc|more|new|no|of|on|only|our|some|the|these|this|to|various|we|wip"
)
INFLECTED = re.compile(r".*([^s]s|ed|ing)")
NOT_INFLECTED = re.compile(
    r"alias|bias|bleed|breed|bring|bypass|embed|exceed|feed|focus|need|proceed|ring|seed|shed|speed|string|succeed"
)


def problems(message: str) -> list[str]:
    """What is wrong with a commit message, one sentence each; empty if nothing is."""
    lines = [line.rstrip() for line in SCISSORS.split(message)[0].splitlines() if not line.startswith("#")]
    while lines and not lines[0]:
        del lines[0]
    if not lines or lines[0].startswith(GENERATED):  # git itself refuses an empty message
        return []
    subject, rest = lines[0], lines[1:]
    return [*_of_subject(subject), *_of_body(rest)]


def _of_subject(subject: str) -> list[str]:
    found = []
    if len(subject) > SUBJECT_LENGTH:
        found.append(f"The subject has {len(subject)} characters; at most {SUBJECT_LENGTH} are allowed.")
    if subject.endswith("."):
        found.append("The subject ends with a period; remove it.")
    words = subject.split()
    if len(words) < 2:
        found.append("The subject is a single word; say what the commit changes.")
    if not subject[0].isupper():
        found.append("The subject does not start with a capital letter.")
    if not _imperative(words[0]):
        found.append(
            f"The subject does not start with a verb in the imperative, such as Add or Refuse: {words[0]!r}."
        )
    return found


def _imperative(word: str) -> bool:
    """Whether the form of a word allows an imperative; only a list of all verbs could be sure."""
    lower = word.removesuffix(",").lower()
    if not lower.replace("-", "").isalpha() or NOT_A_VERB.fullmatch(lower):
        return False
    return not INFLECTED.fullmatch(lower) or NOT_INFLECTED.fullmatch(lower) is not None


def _of_body(rest: list[str]) -> list[str]:
    if rest and rest[0]:
        return ["The second line is not blank; separate subject and body by a blank line."]
    if not any(line and not TRAILER.match(line) for line in rest):
        return ["The message has no body; say below a blank line why the change is made."]
    return []


def main(path: str) -> int:
    found = problems(Path(path).read_text("utf-8", errors="replace"))
    for problem in found:
        print(problem, file=sys.stderr)
    if found:
        print(
            'CONTRIBUTING.md, "Your first change", describes the form of a commit message.', file=sys.stderr
        )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
