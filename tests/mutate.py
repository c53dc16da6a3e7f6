"""Runs mutmut on the core's rules with tests/core for a given number of minutes, and lists the surviving mutants.
Arguments are matched against names of modules and functions (``quorum``, ``fields.why``); the default is ``RULES``.
``EQUIVALENT`` has the mutants that change nothing, by function and changed line, with the reason. mutmut does not
mutate module-level tables or decorated functions (the branches of ``evolve``).
"""

import argparse
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
RULES: Final = (
    "quorum",
    "eligibility",
    "continuation",
    "task_commands",
    "decide",
    "evolve",
    "answering_rights",
    "policy.fields",
)
# (module and function, what is there, what the mutant makes of it): why nobody can tell the difference.
_PAIRS: Final = (
    "for number, (old, new) in enumerate(zip(before.stages, after.stages, strict=False), start=1):"
)
_PIECES: Final = 'shown = "".join(piece.text for piece in pieces(words, lines=False))'
EQUIVALENT: Final[dict[tuple[str, str, str], str]] = {
    **{
        (
            "plan.title_template.x__plain",
            _PIECES,
            _PIECES.replace("lines=False", other),
        ): "split() left no line end"
        for other in ("lines=True", "lines=None", "")
    },
    ("policy.fields.x__fewer_approvals", _PAIRS, _PAIRS.replace("False", "None")): "neither is strict",
    (
        "policy.fields.x__fewer_approvals",
        _PAIRS,
        _PAIRS.replace("strict=False", ""),
    ): "not to be strict is the default",
    (
        "intent.eligibility.xǁMembershipǁmembers_of",
        "if len(self._cached) >= _KEPT:",
        "if len(self._cached) > _KEPT:",
    ): "one answer more is kept",
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="make mutate", description=__doc__)
    parser.add_argument("words", nargs="*", default=RULES, help="parts of names of modules and functions")
    parser.add_argument(
        "--minutes", type=float, default=20, help="after these it stops, and can be gone on with"
    )
    parser.add_argument("--children", type=int, default=2, help="how many processes")
    options = parser.parse_args()
    names = [f"signoff.core.*{word}*" for word in options.words]
    run(["run", "--max-children", str(options.children), *names], options.minutes * 60)
    results = mutmut("results", "--all", "true")
    wanted = [re.compile(re.escape(word)) for word in options.words]
    found = [line.strip().split(": ") for line in results.splitlines() if ": " in line]
    found = [one for one in found if any(word.search(one[0]) for word in wanted)]
    counts: dict[str, int] = {}
    for _, state in found:
        counts[state] = counts.get(state, 0) + 1
    unexplained = [name for name, state in found if state in ("survived", "no tests") and not explained(name)]
    for name in unexplained:
        print(f"\n{name}\n{changed(name)}")
    print("\n" + ", ".join(f"{count} {state}" for state, count in sorted(counts.items())))
    checked = sum(count for state, count in counts.items() if state != "not checked")
    print(f"{len(unexplained)} of {checked} survived without an explanation.")
    return bool(unexplained) or not checked  # nothing is proven if the tests did not pass without mutants


def run(arguments: list[str], seconds: float) -> None:
    process = subprocess.Popen([sys.executable, "-m", "mutmut", *arguments], cwd=ROOT)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
        process.wait()
        print("\nThe time is over; the same command goes on from here.")


def mutmut(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "mutmut", *arguments], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout


def changed(name: str) -> str:
    """The changed lines of a mutant, dedented."""
    lines = mutmut("show", name).splitlines()
    return "\n".join(line[0] + line[1:].strip() for line in lines if re.match(r"[+-](?![+-])", line))


def explained(name: str) -> bool:
    before, _, after = changed(name).partition("\n+")
    function = re.sub(r"__mutmut_\d+$", "", name).rpartition("core.")[2]
    return (function, before.removeprefix("-"), after) in EQUIVALENT


if __name__ == "__main__":
    sys.exit(main())
