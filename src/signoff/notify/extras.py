"""Libraries that only some servers need. A channel that is configured but lacks its library is refused by name."""

from importlib.util import find_spec

from signoff.core.errors import Invalid


def require(setting: str, extra: str, *libraries: str) -> None:
    """Raises Invalid if a library of this extra is not installed."""
    missing = next((name for name in libraries if find_spec(name) is None), None)
    if missing is not None:
        raise Invalid(
            "extra_not_installed",
            f"{setting} is set, and {missing}, which it needs, is not installed.",
            field=setting,
            hint=f"Install it with pip install 'signoff[server,{extra}]', or remove the setting.",
        )
