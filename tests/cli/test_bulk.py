"""``signoff tasks``: one command answers several similar tasks after one confirmation and reports each result."""

from typing import Any

from signoff.cli.failures import ExitCode
from signoff.wire.tasks import MOST_TASKS
from tests.cli.conftest import Run
from tests.client.stub import Answer, Stub, refused

DIGEST = "ab" * 32


def task_id(number: int) -> str:
    return f"0198c0de-0000-7000-8000-{number:08d}0001"


def task(number: int, form: str = "f1", **more: Any) -> dict[str, Any]:
    told = {
        "task_id": task_id(number),
        "intent_id": task_id(number)[:-4] + "0000",
        "intent_type": "intent.refund.v1",
        "state": "open",
        "title": "Pay the refund?",
        "payload": {"amount": number},
        "risk": "low",
        "strength": "link",
        "stage": 1,
        "revision": 1,
        "digest": DIGEST,
        "allowed_outcomes": ["approved", "rejected"],
    }
    return {**told, **({"bulk_form": form} if form else {}), **more}


def done(*results: dict[str, Any]) -> Answer:
    refused = sum("code" in one for one in results)
    receipt = {"said": "Recorded.", "next": "Decided."}
    counts = {"recorded": len(results) - refused, "refused": refused, "decided": 0}
    return Answer({"ok": True, **counts, "receipt": receipt, "results": list(results)})


def result(number: int, **more: Any) -> dict[str, Any]:
    return {"task_id": task_id(number), "recorded": not more, "decided": False, **more}


def test_several_tasks_are_shown_and_answered_together(run: Run, stub: Stub) -> None:
    for number in (1, 2):
        stub.on("GET", f"/v1/tasks/{task_id(number)}", Answer({"ok": True, "task": task(number)}))
    stub.on("POST", "/v1/tasks/answers", done(result(1), result(2)))
    ended = run("tasks", "approve", task_id(1), task_id(2), "--yes", "-m", "routine")
    assert ended.exit_code == 0, ended.output
    assert ended.stdout == "Recorded.\nDecided.\n"
    assert '"amount": 2' in ended.stderr
    named = [{"task_id": task_id(n), "stage": 1, "revision": 1, "digest": DIGEST} for n in (1, 2)]
    assert stub.asked[-1].body == {"outcome": "approved", "comment": "routine", "tasks": named}


def test_bulk_answer_without_a_terminal_requires_the_yes_option(run: Run, stub: Stub) -> None:
    stub.on("GET", "/v1/tasks", Answer({"ok": True, "tasks": [task(1), task(2)]}))
    ended = run("tasks", "reject", "--all", "--type", "intent.refund.v1", input="y\n")
    assert ended.exit_code == ExitCode.USAGE
    assert "Repeat the command with --yes" in ended.stderr
    assert stub.seen("POST", "/v1/tasks/answers") == []


def test_all_matching_tasks_are_answered_in_as_few_requests_as_possible(run: Run, stub: Stub) -> None:
    tasks = [task(number) for number in range(1, MOST_TASKS + 31)]
    stub.on("GET", "/v1/tasks", Answer({"ok": True, "tasks": [*tasks, task(MOST_TASKS + 31, "")]}))
    stub.on("POST", "/v1/tasks/answers", done(result(1)), done(result(2)))
    ended = run("tasks", "approve", "--all", "--search", "refund", "--limit", "1000", "--yes")
    assert ended.exit_code == 0, ended.output
    assert [len(sent.body["tasks"]) for sent in stub.seen("POST", "/v1/tasks/answers")] == [MOST_TASKS, 30]
    assert f"1 of {MOST_TASKS + 31} tasks left out" in ended.stderr
    assert stub.seen("GET", "/v1/tasks")[0].query["q"] == "refund"


def test_refused_tasks_are_listed_and_the_exit_code_is_6(run: Run, stub: Stub) -> None:
    stub.on("GET", "/v1/tasks", Answer({"ok": True, "tasks": [task(1), task(2)]}))
    late = result(
        2, code="stale_revision", message="What you were shown\x1b[2J is no longer what is being decided."
    )
    stub.on("POST", "/v1/tasks/answers", done(result(1), late))
    ended = run("tasks", "approve", "--all", "--yes")
    assert ended.exit_code == ExitCode.CONFLICT
    assert f"refused {task_id(2)}: What you were shown\\x1b[2J is no longer" in ended.stdout
    assert "1 of 2 were refused; the others were recorded." in ended.stderr


def test_output_does_not_say_recorded_if_every_task_was_refused(run: Run, stub: Stub) -> None:
    stub.on("GET", "/v1/tasks", Answer({"ok": True, "tasks": [task(1), task(2)]}))
    late = [result(number, code="stale_revision", message="It has changed.") for number in (1, 2)]
    stub.on("POST", "/v1/tasks/answers", done(*late))
    ended = run("tasks", "approve", "--all", "--yes")
    assert ended.exit_code == ExitCode.CONFLICT
    assert "error: 2 of 2 were refused; nothing was recorded." in ended.stderr


def test_tasks_that_differ_are_not_sent_as_one_bulk_answer(run: Run, stub: Stub) -> None:
    stub.on(
        "GET", "/v1/tasks", Answer({"ok": True, "tasks": [task(1), task(2), task(3, "f2", title="Other?")]})
    )
    ended = run("tasks", "approve", "--all", "--yes")
    assert ended.exit_code == ExitCode.USAGE
    assert "2 x intent.refund.v1: Pay the refund?" in ended.stderr
    assert "1 x intent.refund.v1: Other?" in ended.stderr
    assert stub.seen("POST", "/v1/tasks/answers") == []


def test_options_without_effect_are_refused(run: Run, stub: Stub) -> None:
    for arguments in (
        [],
        [task_id(1), "--all"],
        [task_id(1), "--type", "x"],
        [task_id(1), task_id(2), "--digest", DIGEST],
        ["--all", "--evidence", "x"],
        ["--all", "--number", "2"],
    ):
        assert run("tasks", "approve", *arguments, "--yes").exit_code == ExitCode.USAGE, arguments
    assert stub.asked == []


def test_approve_all_without_open_tasks_exits_with_not_found(run: Run, stub: Stub) -> None:
    stub.on("GET", "/v1/tasks", Answer({"ok": True, "tasks": [task(1, "")]}))
    assert run("tasks", "approve", "--all", "--yes").exit_code == ExitCode.NOT_FOUND


def test_refusal_of_the_whole_bulk_answer_is_reported(run: Run, stub: Stub) -> None:
    stub.on("GET", "/v1/tasks", Answer({"ok": True, "tasks": [task(1)]}))
    stub.on("POST", "/v1/tasks/answers", refused(403, "person_required", message="Only a person can decide."))
    ended = run("tasks", "approve", "--all", "--yes")
    assert (ended.exit_code, "Only a person can decide." in ended.stderr) == (ExitCode.FORBIDDEN, True)


def test_change_and_approval_are_sent_as_one_answer_where_the_policy_allows_it(run: Run, stub: Stub) -> None:
    path = f"/v1/tasks/{task_id(1)}"
    stub.on("GET", path, Answer({"ok": True, "task": task(1, edits="propose")}))
    arguments = ("tasks", "revise", task_id(1), "--payload", '{"amount": 5}', "--approve", "--yes")
    refusal = run(*arguments)
    assert (refusal.exit_code, stub.seen("POST", f"{path}/revise")) == (ExitCode.FORBIDDEN, [])
    stub.on("GET", path, Answer({"ok": True, "task": task(1, edits="approve")}))
    receipt = {"said": "Recorded, with your change as revision 2: approved.", "next": "This is decided."}
    stub.on("POST", f"{path}/revise", Answer({"ok": True, "task": task(1, edits="approve", receipt=receipt)}))
    run(*arguments)  # the first answer of the stub was still the old one
    ended = run(*arguments)
    assert ended.exit_code == 0, ended.output
    assert "with your change as revision 2" in ended.stdout
    assert "amount: 1 → 5" in ended.stderr
    assert stub.asked[-1].body == {"payload": {"amount": 5}, "digest": DIGEST, "outcome": "approved"}


def test_list_filters_are_sent_to_the_server(run: Run, stub: Stub) -> None:
    stub.on("GET", "/v1/tasks", Answer({"ok": True, "tasks": []}))
    filters = {"risk": "low", "team": "sre", "requester": "ci", "workflow": "refund"}
    words = [word for name, value in filters.items() for word in (f"--{name}", value)]
    assert run("tasks", "list", *words).exit_code == 0
    run("tasks", "approve", "--all", *words, "--yes")
    for asked in stub.seen("GET", "/v1/tasks"):
        assert filters.items() <= asked.query.items()
