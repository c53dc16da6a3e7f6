"""Until when a reader may put a task off: a few moments of their own day, before the answer is needed."""

from datetime import datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from signoff.core.directory.model import Person
from signoff.core.errors import Invalid
from signoff.core.text.document_reader import in_utc
from signoff.web.pages.kit.handler import PageRequest

_MORNING: Final = time(9)
_SOON: Final = ((timedelta(hours=1), "for an hour"), (timedelta(hours=4), "for four hours"))


def moments(person: Person, now: datetime, ends: datetime | None) -> tuple[tuple[str, str], ...]:
    """(moment, words) of what is offered; nothing that would come after ``ends``."""
    zone = ZoneInfo(person.zone or "UTC")
    offered = [(now + length, words) for length, words in _SOON]
    if person.hours is not None:
        day = datetime.combine(
            now.astimezone(ZoneInfo(person.hours.zone)).date(), time(0), ZoneInfo(person.hours.zone)
        )
        begins, about = person.hours.opens(day + timedelta(days=1)), "when your working hours begin"
    else:
        day = datetime.combine(now.astimezone(zone).date(), _MORNING, zone)
        begins, about = day + timedelta(days=1), "in the morning"
    local = begins.astimezone(zone)
    offered.append((begins, f"until {local:%A %H:%M}, {about}"))
    return tuple(
        (at.isoformat(timespec="seconds"), words) for at, words in offered if ends is None or at < ends
    )


def chosen(request: PageRequest, person: Person) -> datetime:
    """What was posted, in UTC: an offered moment, or a date and time in the reader's zone."""
    offered, own = request.field("until"), request.field("at").strip()
    try:
        at = datetime.fromisoformat(own or offered)
    except ValueError as error:
        raise Invalid(
            "moment_required", "Say until when.", field="until", hint="Choose one, or a date and time."
        ) from error
    return in_utc(at if at.tzinfo is not None else at.replace(tzinfo=ZoneInfo(person.zone or "UTC")), "until")
