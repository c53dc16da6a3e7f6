"""The answer that a person posts on a task's page: the same command as in the API. It names the revision and the digest
that the page showed. Unless the risk is low, an approval is accepted only if all collapsed parts of the page were
expanded.
"""

from typing import Any, Final

from msgspec.structs import replace

from signoff.core.directory.actors import Actor
from signoff.core.errors import Conflict, Invalid, Refused
from signoff.core.intent.commands import Answer
from signoff.core.intent.contradictions import contradiction
from signoff.core.intent.events import Viewed
from signoff.core.intent.model import Intent
from signoff.core.intent.receipts import act_in
from signoff.core.plan.task_types import TaskType
from signoff.engine.commit.jobs import Done
from signoff.engine.read.task_history import TaskHistory
from signoff.engine.read.view import SeenTask
from signoff.web.http.call import Page
from signoff.web.pages.kit.handler import PageRequest
from signoff.web.pages.task import sign_in_required
from signoff.web.pages.task.page import load_task_context, task_card, task_page, task_ref
from signoff.web.pages.task.schema_form import FLAGS, PREFIX, data_of

CORRECTABLE: Final = (400, 403, 409, 413, 422, 503)


async def decide(request: PageRequest) -> Page:
    """POST /tasks/{task_id}"""
    found = await request.state.view.task(request.actor, request.params["task_id"])
    here = f"/tasks/{task_ref(found)}"
    if request.field("show") or request.field("mail"):
        return await task_page(request, request.actor, found, here=here)
    answered = await post_answer(request, request.actor, found)
    if isinstance(answered, Done):
        sign_in_required.drop_answer(request, request.actor, task_ref(found))
        return request.to(after_act(here, answered, request.actor))
    again = await request.state.view.task(request.actor, request.params["task_id"])
    return await task_page(request, request.actor, again, here=here, refusal=answered)


def after_act(here: str, done: Done, actor: Actor) -> str:
    """The page with the receipt of an action. The address names the event, so that a reload can build the receipt
    from the history.
    """
    return f"{here}?done={act_number(done, actor)}"


def act_number(done: Done, actor: Actor) -> int:
    """The number of the event of an action; 0 if nothing new was recorded."""
    facts = done.change.facts if done.change else ()
    act = act_in((sealed.fact for sealed in facts), actor.id)
    return act.seq if act else 0


async def post_answer(request: PageRequest, reader: Actor, found: SeenTask) -> Refused | Done:
    """Give the posted answer to the engine; returns its effect, or a refusal that the person can resolve."""
    intent, history = found.seen.stored.intent, found.history
    try:
        command = _command(request, intent, history)
        viewed = await how_viewed(request, reader, found, command.outcome, command.digest)
        return await request.state.engine.handle(reader, intent.id, replace(command, viewed=viewed))
    except Refused as refusal:
        if refusal.status not in CORRECTABLE:
            raise
        return refusal


async def how_viewed(
    request: PageRequest, reader: Actor, found: SeenTask, outcome: str, digest: str | None
) -> Viewed:
    """How much of the task's page the person has seen, for the record of their answer. Raises
    Conflict if they approve without having expanded all of it.
    """
    shown = await task_card(request, await load_task_context(request, reader, found, False), found)
    positive = next((c.tone == "yes" for c in shown.answers if c.outcome == outcome), False)
    if positive and shown.needs_opening and request.field("opened") != digest:
        raise Conflict(
            "not_opened",
            "Parts of this request were collapsed and never opened. Nothing was recorded.",
            hint="Show everything first; then decide.",
        )
    folded = "none" if not shown.needs_opening else "opened" if request.field("opened") else "closed"
    step_run = found.history.step_run
    return await request.state.card_openings.seen(reader, found.seen.stored.intent.id, step_run, folded)


async def already_counted(request: PageRequest, reader: Actor, found: SeenTask) -> bool:
    """Whether the link was ended by exactly the posted answer, because the same button was pressed twice."""
    try:
        command = _command(request, found.seen.stored.intent, found.history)
    except Refused:
        return False
    return await request.state.engine.repeated(reader, task_ref(found), command) is not None


def _command(request: PageRequest, intent: Intent, history: TaskHistory) -> Answer:
    spec = intent.plan.human_step(history.step).task
    pressed = dict.fromkeys(value for name, value in request.form if name == "outcome" and value)
    outcome, digest = next(iter(pressed), ""), request.field("digest")
    revision, stage, number = (count(request, name) for name in ("revision", "stage", "number"))
    if not (outcome and digest and revision):
        sentence = "The form was incomplete (revision and digest missing). Nothing was recorded."
        raise Invalid("incomplete_form", sentence, field="digest")
    if other := next((value for value in pressed if value != outcome), ""):
        raise contradiction("outcome", outcome, "outcome", other)
    data: dict[str, Any] = data_of(spec.form, request.form)
    data |= {name: request.field(f"{PREFIX}{name}") for name in FLAGS if request.field(f"{PREFIX}{name}")}
    for name in ("evidence", "assignee"):
        text = request.field(f"x.{name}").strip()
        if text and name not in data:
            data[name] = text.replace("\r\n", "\n")
    if spec.type is TaskType.ASSIGNMENT and outcome == "assigned" and not data:
        raise Invalid("assignee_required", "Enter an assignee.", field="assignee")
    return Answer(
        outcome=outcome,
        step_run=history.step_run,
        comment=request.words("comment"),
        data=data,
        stage=stage - 1 if stage else None,
        revision=revision,
        digest=digest,
        number=number,
    )


def count(request: PageRequest, name: str) -> int | None:
    """A number in the form; None if it is absent, because an older page does not have the field."""
    text = request.field(name)
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 9 and int(text)):
        sentence = "The form was incomplete (revision and digest missing). Nothing was recorded."
        raise Invalid("incomplete_form", sentence, field=name)
    return int(text)
