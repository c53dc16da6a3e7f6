"""TLS: certificates are verified, a private CA can be set, and errors name the actual problem."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from signoff import Client, ConnectionFailed
from signoff.cli.failures import ExitCode
from signoff.cli.main import main
from tests.client.conftest import KEY
from tests.client.stub import Answer, Stub, stub_server
from tests.notify.smtp_sink import certificate


@pytest.fixture
def trusted(tmp_path: Path) -> Iterator[tuple[Stub, Path]]:
    """A server with a self-signed certificate, and the CA file that verifies it."""
    context, authority = certificate(tmp_path)
    with stub_server(context) as stub:
        stub.on("GET", "/v1/workflows", Answer({"workflows": []}))
        yield stub, authority


def test_certificate_authority_is_read_from_the_environment(
    trusted: tuple[Stub, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    stub, authority = trusted
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    with Client(stub.url, KEY) as client:
        assert client.workflows() == []


def test_untrusted_certificate_is_refused_and_not_taken_for_an_unreachable_server(
    trusted: tuple[Stub, Path],
) -> None:
    stub, _ = trusted
    with Client(stub.url, KEY, retry_for=0) as client, pytest.raises(ConnectionFailed) as refused:
        client.workflows()
    assert "SSL_CERT_FILE" in str(refused.value)
    assert "signoff up" not in str(refused.value)
    ended = CliRunner().invoke(
        main, ["workflows", "list"], env={"SIGNOFF_URL": stub.url, "SIGNOFF_API_KEY": KEY}
    )
    assert (ended.exit_code, "SSL_CERT_FILE" in ended.stderr) == (ExitCode.UNREACHABLE, True)
    assert "Nothing is listening" not in ended.stderr
    assert stub.asked == []
