"""`cadenza api`, and the API within `cadenza up`: they say where they listen, answer, and end cleanly."""

import json
import re
import signal
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cli import Cli, Running, wait_for
from twilio_side import TwilioSide, with_twilio
from world import World

from deploy.sandbox.state import find_sandbox
from engine.settings import Settings


@pytest.fixture
def cli(settings: Settings, tmp_path: Path) -> Cli:
    return Cli(settings, tmp_path)


def address(running: Running) -> str:
    """Where it says that the API listens."""
    found = wait_for(lambda: re.search(r"^api +(http://\S+)$", running.said, re.MULTILINE), "it says where it listens")
    return found[1]


def get(url: str) -> tuple[int, dict[str, str]]:
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    try:
        connection.request("GET", parts.path)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_answers_until_it_is_told_to_stop(cli: Cli, number: signal.Signals) -> None:
    running = cli.start("api", "--port", "0")
    try:
        url = address(running)
        assert get(f"{url}/healthz") == (200, {"status": "ok"})
        assert get(f"{url}/readyz") == (200, {"status": "ready", "database": "ok", "redis": "ok"})
        running.tell(number)
    finally:
        ended = running.ended() if running.said else running.kill()
    assert ended.check(0).out == f"api {url}\n"
    assert ended.complaint == (
        "cadenza: no Twilio account is set and no sandbox runs: webhooks are answered with 503\n"
    )


def test_a_webhook_reaches_the_database(settings: Settings, tmp_path: Path, world: World) -> None:
    running = Cli(with_twilio(settings), tmp_path).start("api", "--host", "127.0.0.1", "--port", "0")
    try:
        ((public_id,),) = world.query("SELECT public_id FROM workspaces")
        twilio = TwilioSide(address(running), public_id, "https://hooks.example.com/cadenza")
        assert twilio.inbound("+12025550101", "STOP").status == 200
        assert TwilioSide(twilio.url, public_id, twilio.url).inbound("+12025550102", "STOP").status == 403
    finally:
        running.tell(signal.SIGTERM)
        ended = running.ended()
    assert world.query("SELECT address, reason FROM suppressions") == [("+12025550101", "stop")]
    ended.check(0)
    assert '"reason": "its signature is not Twilio\'s' in ended.err
    assert "2025550" not in ended.err


def test_a_host_that_is_not_ours_is_one_line(cli: Cli) -> None:
    assert cli("api", "--host", "192.0.2.1", "--port", "0").check(1).complaint.startswith("cadenza: api: 192.0.2.1:0: ")
    assert "port" in cli("api", "--port", "70000").check(2).complaint


def test_up_answers_the_sandbox(cli: Cli, settings: Settings, world: World) -> None:
    running = cli.start("up", "--processes", "1", "--threads", "1")
    try:
        url = address(running)
        assert get(f"{url}/readyz")[0] == 200
        wait_for(lambda: "ready: Ctrl-C ends it" in running.said, "it is ready")
        sandbox = find_sandbox(cli.folder / settings.data_dir)
        assert sandbox is not None
        ((public_id,),) = world.query("SELECT public_id FROM workspaces")
        told = sandbox.client.inbound("+12025550101", "STOP", f"{url}/webhooks/twilio/{public_id}/inbound")
        assert [answer and answer.status for answer in told.answers] == [200]
        assert world.query("SELECT address, reason FROM suppressions") == [("+12025550101", "stop")]
    finally:
        running.tell(signal.SIGTERM)
        ended = running.ended()
    ended.check(0)
