"""Masks secrets in everything that people read: pages, mail, chat, the command line, errors and logs.

One rule for all of them. A value is a secret by the name of its field, by the name of its container, by the name next
to it (``{"name": "DB_PASSWORD", "value": ...}``), or by its form (a password in a URL, a bearer token). This is only
for display; programs that act on a payload get it unmasked. Everything here takes time linear in its input.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import unquote

MASK: Final = "********"
Hide = Callable[[str], str]

_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_EDGE: Final = r"(?:^|[^a-z0-9])"
_END: Final = r"(?:$|[^a-z0-9])"
_KEYS: Final = (
    r"(?:api|access|account|auth|client|deploy|encryption|host|license|master|private|secret|service|shared|signing|ssh"
    r"|storage|webhook)[^a-z0-9]?keys?"
)
# Marks in a field's own name: anywhere in it, as one of its words, or as its last word.
_NAMED: Final = re.compile(
    rf"pass(?:word|phrase|code|wd)|secret|token|credential|authori[sz]ation|{_EDGE}{_KEYS}{_END}|{_EDGE}apikey"
    rf"|{_EDGE}(?:pins?|pwd|cvv|cvc|otp|totp|jwt|bearer|cookies?|mnemonic|session[^a-z0-9]?id|seed[^a-z0-9]?phrase){_END}"
    rf"|{_EDGE}(?:pass|auth)[^a-z0-9]*$"
)
# Marks in a container's name, which make everything in it secret.
_HOLDS: Final = re.compile(
    rf"(?:^|[.\"])(?:[a-z0-9_\-]*(?:password|secret|credential|token)s?|passwd|pwd|authorization|{_KEYS})"
    r"(?:\[\d+\])*(?:[.\"]|$)"
)
_API_KEY: Final = re.compile(r"(?:^|[.\"])api[._\-]?keys?(?:\[\d+\])*(?:[.\"]|$)")
# Names that make even a number a secret.
_NUMERIC: Final = re.compile(
    r"(?:^|[^a-z0-9])(?:[a-z0-9]*password|passcode|pin|pwd|cvv|cvc|otp)\"?(?:\[\d+\])*$"
)

_WORD: Final = re.compile(r"[^\s\"'<>`]+")
_PORT: Final = re.compile(r"\d{1,5}[/?#]")
_SCHEME: Final = re.compile(
    r"(?i)(?<![\w-])(bearer|basic)([ \t]{1,8})(?=[\w.~+/=-]{0,4096}[0-9=._])([\w.~+/=-]{6,})"
)
_PAIR: Final = re.compile(
    r"(?i)((?:pass(?:word|phrase|code|wd)|pwd|secret|token|api[_-]?key|access[_-]?key|account[_-]?key|private[_-]?key"
    # DB_PASS=... A quoted value extends to its closing quote, whatever it contains; quotes may be escaped, as in JSON
    # within JSON.
    r"|(?<=[a-z0-9][_-])pass(?![a-z0-9_]))"
    r"\w{0,20}\\{0,3}[\"']?[ \t]{0,4}(?:=>|[=:])[ \t]{0,4}\\{0,3})"
    r"(?:(?P<double>\")([^\"\n]+)|(?P<single>')([^'\n]+)|([^\s\"',;&}\])]+))"
)
# In a command: the value of an option named like a secret, or of curl's user option.
_OPTION: Final = re.compile(
    r"(?i)((?<![\w-])--(?:[\w-]{0,32}[_-])?(?:pass(?:word|phrase|code|wd)?|pwd|secret|token|api-?key)[ \t]{1,8}"
    r"|(?<![\w-])(?:-u|--user)[ \t]{1,8}[\w.@+-]{1,64}:(?!\d{1,10}(?:\s|$))|(?<![\w-])sshpass[ \t]{1,8}-p[ \t]{0,8})"
    r"(?!-)(?:(?P<quote>[\"'])([^\"'\n]+)|([^\s\"',;&}\])]+))"
)
# Headers in text: credentials of any scheme, and cookies to the end of their line.
_HEADER: Final = re.compile(
    r"(?i)(authorization\\{0,3}[\"']?[ \t]{0,4}[=:][ \t]{0,4}\\{0,3}[\"']?)(?!(?:bearer|basic)\b)"
    r"((?:token|apikey|key|digest|negotiate|ntlm|oauth|hawk|aws4-hmac-sha256)[ \t]{1,4}[^\"'\n\\]{4,}"
    r"|(?=[\w.~+/=-]{0,512}\d)[\w.~+/=-]{8,})"
    r"|((?<![\w-])(?:set-)?cookie\\{0,3}[\"']?[ \t]{0,4}:[ \t]{0,4}\\{0,3}[\"']?)(\w[\w.-]{0,64}=[^\"'\n\\]+)"
)
_SHAPE: Final = re.compile(
    r"(?<![\w-])(?:(?:sk|pk|rk)_(?:live|test)_\w{8,}|sk-[\w-]{16,}|gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}"
    r"|xox[a-z]-[\w-]{10,}|xapp-[\w-]{10,}|AKIA[0-9A-Z]{16}|AIza[\w-]{30,}|npm_\w{30,}|sgn_[a-z]{1,12}_\w{20,}"
    r"|eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?)"
)
# In a URL: parameters that sign it or grant access, and the secret part of a webhook's path.
_PARAMETER: Final = re.compile(
    r"(?i)((?:[?&#;]|\\u0026|&amp;)(?P<name>[\w.%\[\]-]{1,64})=)(?P<value>[^&#;\s\"'<>`\\]+)"
)
_SIGNS: Final = re.compile(
    r"(?i)(?:^|[^a-z0-9])(?:sig|signature|hmac|credential|key[-_]?pair[-_]?id|aws[-_]?access[-_]?key[-_]?id)$"
)
_OPENS: Final = frozenset({"key", "code", "auth", "sid", "hash", "policy", "state", "ticket", "assertion"})
_LONG: Final = 20  # minimum length of a value that grants access under one of these names
_HOOK: Final = re.compile(
    r"(?i)(?P<slack>^[a-z]+://(?:[\w-]{1,63}\.){0,8}slack(?:-gov)?\.com/(?:services|workflows|triggers)/)"
    r"|/(?:bot(?=\d{1,20}:)|[\w-]{0,32}(?:web)?hooks?(?:b2)?/|with/key/)"
)
_QUERY: Final = re.compile(r"[?#]")
_SEGMENT: Final = re.compile(r"[^/?#&;]+")
_RANDOM: Final = re.compile(r"(?=.{0,512}\d|.{0,512}[A-Z].{0,512}[a-z])[\w.~%@:=+-]{6,}")
_PEM: Final = re.compile(
    r"(-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----)(.*?)(-----END [A-Z ]{0,30}PRIVATE KEY-----|\Z)", re.DOTALL
)
_TRIGGER: Final = re.compile(
    r"(?i)pass|pwd|secret|token|credential|auth|key|pin|cvv|cvc|otp|jwt|bearer|basic|cookie|mnemonic|session|seed|sig|hmac"
    r"|-u|--user"
    r"|[spr]k[_-]|gh[pousr]_|github_pat|glpat|xox|xapp|AKIA|AIza|npm_|sgn_|eyJ"
)
_NAMES: Final = ("name", "key", "header", "field", "variable")
_LONGEST_NAME: Final = 256


def suspect(text: str) -> bool:
    """A fast check for whether the text may contain a secret, without false negatives."""
    return "://" in text or _TRIGGER.search(text) is not None


def is_secret(path: str) -> bool:
    """Whether a field is a secret by its own name, or by its container's, which marks everything in it as secret."""
    plain = _CAMEL.sub("_", path).lower()
    own = plain.rpartition(".")[2]
    return bool(_NAMED.search(own) or _HOLDS.search(plain) or _API_KEY.search(plain))


def fingerprint(text: str) -> str:
    """A secret as its length and a fingerprint, so that a change is visible but the value is not."""
    return f"{len(text)} characters, fingerprint {hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:8]}"


def bracketed(text: str) -> str:
    """The replacement for a secret within a longer text."""
    return f"[{fingerprint(text)}]"


def starred(_: str) -> str:
    """The replacement for a secret in an error or a log line, without a fingerprint."""
    return MASK


def mask_text(text: str, hide: Hide = bracketed) -> str:
    """The text with everything that looks like a secret masked."""
    if len(text) < 4:
        return text
    if "PRIVATE KEY-----" in text:
        text = _PEM.sub(lambda found: found[1] + hide(found[2]) + found[3], text)
    if "://" in text:
        text = _WORD.sub(lambda found: _path(_url(found[0], hide), hide), text)
    if "=" in text:
        text = _PARAMETER.sub(lambda found: _parameter(found, hide), text)
    text = _PAIR.sub(lambda found: _pair(found, hide), text)
    if "-" in text:
        text = _OPTION.sub(
            lambda found: found[1] + (found["quote"] or "") + _once(found[3] or found[4], hide), text
        )
    text = _HEADER.sub(lambda found: (found[1] or found[3]) + _once(found[2] or found[4], hide), text)
    text = _SCHEME.sub(lambda found: found[1] + found[2] + hide(found[3]), text)
    return mask_tokens(text, hide)


def mask_tokens(text: str, hide: Hide = bracketed) -> str:
    """The text with every key and token that is recognized by its form alone masked, and nothing else."""
    return _SHAPE.sub(lambda found: hide(found[0]), text)


def _pair(found: re.Match[str], hide: Hide) -> str:
    """A name with its value masked; the quote and escape that end the value are kept."""
    value = found[3] or found[5] or found[6]
    held = value.rstrip("\\") if found[6] is None else value
    return found[1] + (found["double"] or found["single"] or "") + _once(held, hide) + value[len(held) :]


def _once(text: str, hide: Hide) -> str:
    """A value that was masked before is left unchanged."""
    return text if text.startswith(("[", MASK)) or text.lower() in ("bearer", "basic") else hide(text)


def _url(word: str, hide: Hide) -> str:
    """A URL with its password masked, even one that is not percent-encoded and contains ``/``, ``#`` or ``@``."""
    start = word.find("://") + 3
    at = word.rfind("@")
    if start < 3 or at < start:
        return word
    colon = word.find(":", start, at)
    if colon < 0:
        return word
    held = word[colon + 1 : at]
    # http://host:8080/@scope has a port, and no password.
    if not held or (word.startswith(("http", "ws")) and _PORT.match(held)):
        return word
    return word[: colon + 1] + hide(held) + word[at:]


def _parameter(found: re.Match[str], hide: Hide) -> str:
    name, value = unquote(found["name"]), found["value"]
    opens = name.lower() in _OPENS and len(value) >= _LONG
    return found[1] + _once(value, hide) if opens or _SIGNS.search(name) or is_secret(name) else found[0]


def _path(word: str, hide: Hide) -> str:
    """A URL with the secret part of a webhook's path masked, because that part is enough to send to the webhook."""
    mark = _HOOK.search(word) if "://" in word else None
    if mark is None:
        return word
    query = _QUERY.search(word, mark.end())
    end = query.start() if query else len(word)
    every = bool(mark["slack"])
    rest = _SEGMENT.sub(
        lambda found: _once(found[0], hide) if every or _RANDOM.fullmatch(found[0]) else found[0],
        word[mark.end() : end],
    )
    return word[: mark.end()] + rest + word[end:]


def masked(value: Any, whole: Hide = fingerprint, part: Hide = bracketed) -> Any:
    """A JSON value with every secret in it masked. ``whole``: the replacement for a secret leaf, ``part``: for a secret
    within a longer text.
    """
    return _masked(value, "", False, (whole, part))


def hides(value: Any, name: str) -> bool:
    """Whether a value under this name is a secret, or contains one."""
    return bool(masked({name: value})[name] != value)


def _masked(value: Any, path: str, secret: bool, hide: tuple[Hide, Hide]) -> Any:
    if isinstance(value, Mapping):
        named = (
            next((value[n] for n in _NAMES if isinstance(value.get(n), str)), "") if "value" in value else ""
        )
        beside = bool(named) and is_secret(named[:_LONGEST_NAME].replace(".", "_"))
        return {
            key: _masked(
                item,
                f"{path}.{key}"[-_LONGEST_NAME:],
                secret or _secret(str(key)) or (beside and key == "value"),
                hide,
            )
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_masked(item, path, secret, hide) for item in value]
    if isinstance(value, str):
        if value and (secret or is_secret(path)):
            return hide[0](value)
        return mask_text(value, hide[1])
    if (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and _NUMERIC.search(_CAMEL.sub("_", path).lower())
    ):
        return hide[0](str(value))
    return value


def _secret(name: str) -> bool:
    """Whether everything under this name is secret."""
    return bool(_HOLDS.search(_CAMEL.sub("_", name[:_LONGEST_NAME]).lower()))
