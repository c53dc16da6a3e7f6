"""The page of one task, opened with the link in a message instead of a session."""

from zoneinfo import ZoneInfo

from signoff.core.directory.actors import Actor, ActorKind
from signoff.core.directory.model import Link
from signoff.core.errors import Gone
from signoff.core.ids import step_run_id
from signoff.core.intent.model import Task
from signoff.core.plan.wording import outcome_text, question
from signoff.engine.commit.jobs import Done
from signoff.engine.read.view import SeenTask
from signoff.web.http.call import Page
from signoff.web.pages.kit.handler import PageRequest
from signoff.web.pages.task.answer import act_number, already_counted, post_answer
from signoff.web.pages.task.page import task_page


async def show(request: PageRequest) -> Page:
    """GET /t/{token}: the same card. Reading does not use up the link."""
    link, reader = await _holder(request)
    found = await request.state.view.task(reader, step_run_id(link.intent_id, link.visit))
    await _alive(request, link, found)
    return await task_page(request, reader, found, here=request.call.path)


async def decide(request: PageRequest) -> Page:
    """POST /t/{token}"""
    link, reader = await _holder(request)
    ref = step_run_id(link.intent_id, link.visit)
    found = await request.state.view.task(reader, ref)
    try:
        await _alive(request, link, found)
    except Gone:
        if not await already_counted(request, reader, found):
            raise
        return await task_page(request, reader, found, here=request.call.path)
    if request.field("show") or request.field("mail"):
        return await task_page(request, reader, found, here=request.call.path)
    answered = await post_answer(request, reader, found)
    again = await request.state.view.task(reader, ref)
    if isinstance(answered, Done):
        # the link may have expired with its task, so only this response can show the receipt
        return await task_page(
            request, reader, again, here=request.call.path, done=act_number(answered, reader)
        )
    return await task_page(request, reader, again, here=request.call.path, refusal=answered)


async def _holder(request: PageRequest) -> tuple[Link, Actor]:
    link = await request.state.sessions.link(request.params["token"], "task")
    return link, await request.state.sessions.holder(link)


async def _alive(request: PageRequest, link: Link, found: SeenTask) -> None:
    """Raise Gone, with the result, if the link has expired. A link expires with its task, and with the revision that
    it was made for.
    """
    task = found.seen.stored.intent.open
    if isinstance(task, Task) and (task.step_run, task.digest) == (link.visit, link.digest):
        return
    intent, directory = found.seen.stored.intent, await request.state.directory.of(link.workspace)
    step = intent.plan.human_step(found.history.step)
    about = question(intent.plan, step, intent.type, None)  # an expired link shows nothing of the request
    sentence = f"“{about}” is closed."
    decided = found.history.decided
    if decided is not None:
        by = ""
        if decided.actor.kind is not ActorKind.SYSTEM:
            by = f", by {directory.display(decided.actor.id)}"
        outcome = outcome_text(step.task, getattr(decided.event, "outcome", "closed"))
        reader = directory.people.get(link.person)
        at = decided.at.astimezone(ZoneInfo((reader.zone if reader else "") or "UTC"))
        sentence = f"“{about}” has already been decided: {outcome}{by}, {at:%d %b %Y, %H:%M %Z}."
    elif isinstance(task, Task) and task.step_run == link.visit:
        sentence = "The request has changed since this link was created. The link cannot decide it."
    raise Gone("link_over", sentence, hint="Sign in to see it and your open tasks.")
