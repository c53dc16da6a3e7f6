"""Before someone loses the right to decide, shows their open tasks and asks for confirmation."""

from collections.abc import Callable, Iterable
from typing import Final

from signoff.core.directory.model import Person
from signoff.core.intent.answering_rights import asked
from signoff.core.intent.model import Task
from signoff.engine.admin.bulk_reassignment import HeldTask
from signoff.web.http.call import Page
from signoff.web.pages.kit.handler import PageRequest

CONFIRMED: Final = "confirmed"
_SHOWN: Final = 50
UNDERSTAFFED: Final = "Tasks without enough eligible people follow their policy."


async def confirm_removal(
    request: PageRequest,
    people: Iterable[Person],
    what: str,
    back: str,
    counts: Callable[[HeldTask], bool] | None = None,
) -> Page | None:
    """The page that shows the open tasks of these people and asks whether to continue; None if there are none, or if
    the admin has confirmed. ``counts``: selects the affected tasks, by default all.
    """
    if request.field(CONFIRMED) == "1":
        return None
    rows, whole = [], True
    for person in people:
        found, all_of_it = await request.state.reassignments.waiting(request.actor, person)
        found = [one for one in found if counts is None or counts(one)]
        whole = whole and all_of_it
        if found:
            rows.append({"person": person, "tasks": found[:_SHOWN], "more": len(found) - len(found[:_SHOWN])})
    if not rows:
        return None
    fields = [(name, value) for name, value in request.form if name != "form_token"]
    return await request.page(
        "confirm_removal.html",
        rows=rows,
        whole=whole,
        what=what,
        back=back,
        fields=fields,
        confirmed=CONFIRMED,
    )


def confirm_team_change(name: str) -> Callable[[HeldTask], bool]:
    """Select the tasks that ask someone as a member of this team."""

    def counts(held: HeldTask) -> bool:
        task = held.intent.open
        return isinstance(task, Task) and f"team:{name}" in asked(held.intent, task)

    return counts
