"""``make check``'s audit fails on findings, and says when it could not reach the database."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from signoff.interpreter import vulnerabilities, warnings
from tests.audit import LOCK, main, pinned
from tests.live import free_port


@contextmanager
def database(answer: bytes) -> Iterator[tuple[str, list[Any]]]:
    """An advisory database with a fixed response that records its requests."""
    asked: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: Any) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


PACKAGES = pinned(LOCK.read_text("utf-8"))


def test_every_pinned_package_is_checked_and_a_finding_fails(capsys: pytest.CaptureFixture[str]) -> None:
    results: list[dict[str, Any]] = [{} for _ in PACKAGES]
    with database(json.dumps({"results": results}).encode()) as (url, asked):
        assert main(url) == 0
        assert [query["package"]["name"] for query in asked[0]["queries"]] == [name for name, _ in PACKAGES]
        assert len(PACKAGES) > 50
    results[3] = {"vulns": [{"id": "PYSEC-2030-1"}]}
    with database(json.dumps({"results": results}).encode()) as (url, _):
        assert main(url) == 1
    said = capsys.readouterr().out
    assert f"{PACKAGES[3][0]} {PACKAGES[3][1]} has known holes: PYSEC-2030-1" in said


@pytest.mark.parametrize("answer", [b"", b"<html>", b"{}", b'{"results": null}', b'{"results": []}'])
def test_unreachable_advisory_database_is_no_result(
    capsys: pytest.CaptureFixture[str], answer: bytes
) -> None:
    with database(answer) as (url, _):
        assert main(url) == 0
    assert main(f"http://127.0.0.1:{free_port()}/") == 0
    assert capsys.readouterr().out.count("not audited, no advisory source reachable") == 2


@pytest.mark.parametrize(
    ("version", "known"),
    [((3, 11, 7), True), ((3, 11, 10), False), ((3, 12, 5), True), ((3, 12, 6), False), ((3, 13, 0), False)],
)
def test_interpreter_with_a_known_vulnerability_is_named(version: tuple[int, int, int], known: bool) -> None:
    assert bool(vulnerabilities(version)) is known
    assert [".".join(map(str, version)) in said for said in warnings(version)] == [True] * known
