"""Posts webhooks to a receiver that is being developed on this machine: signed like those of the server."""

import base64
import binascii
import hashlib
import hmac
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from signoff.cli.failures import CommandFailed, ExitCode
from signoff.documents.reading import read_text

_PREFIX: Final = "whsec_"
_PATIENCE: Final = 10.0  # seconds, as the server waits


@dataclass(frozen=True)
class Answered:
    """What a receiver answered: the HTTP status, or 0 and why there was none."""

    status: int
    problem: str
    seconds: float

    @property
    def accepted(self) -> bool:
        return 200 <= self.status < 300

    def __str__(self) -> str:
        sentence = f"HTTP {self.status}" if self.status else self.problem
        return f"{sentence} in {self.seconds * 1000:.0f} ms"


class Receiver:
    """``url``: an address of this machine; ``secret``: the secret that signs, or b"" to send unsigned."""

    def __init__(self, url: str, secret: bytes) -> None:
        import httpx2

        self._url = url
        self._secret = secret
        # nothing here goes through a proxy, and a redirect could lead to another machine
        self._http = httpx2.Client(trust_env=False, follow_redirects=False, timeout=_PATIENCE)

    def post(self, id: str, body: bytes) -> Answered:
        """Post one body; never raises for what the receiver does."""
        import httpx2

        began = time.monotonic()
        try:
            with self._http.stream(
                "POST", self._url, content=body, headers=self._headers(id, body)
            ) as answer:
                return Answered(answer.status_code, "", time.monotonic() - began)
        except httpx2.RequestError as error:
            return Answered(0, f"no answer ({type(error).__name__})", time.monotonic() - began)

    def close(self) -> None:
        self._http.close()

    def _headers(self, id: str, body: bytes) -> dict[str, str]:
        headers = {"content-type": "application/json", "webhook-id": id}
        if self._secret:
            at = str(int(time.time()))
            digest = hmac.new(self._secret, f"{id}.{at}.".encode() + body, hashlib.sha256).digest()
            headers["webhook-timestamp"] = at
            headers["webhook-signature"] = f"v1,{base64.b64encode(digest).decode()}"
        return headers


def open_receiver(url: str, secret_file: str | None, environ: Mapping[str, str] = os.environ) -> Receiver:
    """The receiver at this address. Only this machine's: what people decide is not sent elsewhere by accident."""
    from signoff.client.credentials import checked_url, is_loopback

    address = checked_url(url, "URL")
    if not is_loopback(address):
        raise CommandFailed(
            ExitCode.USAGE,
            "Webhooks are sent only to this machine from here.",
            hint="Use http://127.0.0.1:PORT/PATH. The server posts to other addresses: SIGNOFF_WEBHOOK_URL.",
        )
    text = read_text(Path(secret_file)).strip() if secret_file else environ.get("SIGNOFF_WEBHOOK_SECRET", "")
    return Receiver(address, _key(text) if text or secret_file else b"")


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(_PREFIX) or not key:
        raise CommandFailed(
            ExitCode.USAGE,
            "The webhook secret is not one.",
            hint="It is whsec_ and base64, as in SIGNOFF_WEBHOOK_SECRET of the server.",
        )
    return key
