"""The cookies of the pages: the session; before sign-in, a random value that does nothing but bind forms to a browser;
and the saved draft of a person who was asked to sign in again.
"""

from typing import Final

from signoff.engine.identity.sessions import IDLE
from signoff.web.http.call import Call

_SESSION: Final = "signoff_session"
_FORM: Final = "signoff_form"
_DRAFT: Final = "signoff_draft"
LONGEST_DRAFT: Final = 3000
Header = tuple[str, str]


def _secure(call: Call) -> bool:
    return call.state.settings.base_url.startswith("https://")


def _name(call: Call, name: str) -> str:
    # __Host- binds a cookie to this host; browsers accept it only over https.
    return f"__Host-{name}" if _secure(call) else name


def _read(call: Call, name: str, longest: int = 128) -> str:
    return call.cookies.get(_name(call, name), "")[:longest]


def session_of(call: Call) -> str:
    """The session's token, "" if there is none."""
    return _read(call, _SESSION)


def binding_of(call: Call) -> str:
    """The value that binds a form to this browser: the session, or else the form cookie, or else ""."""
    return session_of(call) or _read(call, _FORM)


def bindings_of(call: Call) -> tuple[str, ...]:
    """All values that may bind a form to this browser. A form that was opened before a sign-in in another tab is
    still valid.
    """
    return tuple(dict.fromkeys(filter(None, (session_of(call), _read(call, _FORM)))))


def draft_of(call: Call) -> str:
    """The draft that was saved before a sign-in, "" if there is none."""
    return _read(call, _DRAFT, LONGEST_DRAFT)


def drafted(call: Call, value: str, age: int) -> Header:
    """The header that saves a draft; "" deletes it."""
    return _set(call, _DRAFT, value, age if value else 0)


def signed_in(call: Call, token: str) -> Header:
    """The header that sets the session. The server ends the session; the cookie's max-age only makes phones keep it."""
    return _set(call, _SESSION, token, int(call.state.sessions.lifetime.total_seconds()))


def signed_out(call: Call) -> Header:
    return _set(call, _SESSION, "", 0)


def bound(call: Call, value: str) -> Header:
    """The header that sets the form cookie."""
    return _set(call, _FORM, value, int(IDLE.total_seconds()))


def _set(call: Call, name: str, value: str, age: int) -> Header:
    secure = "; Secure" if _secure(call) else ""
    return "set-cookie", f"{_name(call, name)}={value}; Path=/; Max-Age={age}; HttpOnly; SameSite=Lax{secure}"
