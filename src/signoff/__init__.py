"""Durable execution with human approval built in. These are the public names; everything else may change."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from signoff.client import Client as Client

__version__ = "0.1.0"
