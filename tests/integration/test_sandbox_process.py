"""A sandbox as a process: how it starts, is found, ends, and what it leaves."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from pydantic import SecretStr, ValidationError

from deploy.sandbox.door import Door
from deploy.sandbox.options import SENDER, SandboxOptions
from deploy.sandbox.process import start_sandbox
from deploy.sandbox.settings import with_sandbox
from deploy.sandbox.state import STATE_FILE, AlreadyRunning, Sandbox, find_sandbox
from engine.errors import InvalidInput, Unavailable
from engine.settings import Settings


def gone(pid: int) -> bool:
    """Whether a process ends within a generous time; one that nobody has waited for yet counts as ended."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.02)
    return False


def refuses(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_it_is_found_while_it_runs(tmp_path: Path) -> None:
    assert find_sandbox(tmp_path) is None
    with start_sandbox(SandboxOptions(data_dir=tmp_path)) as process:
        assert find_sandbox(tmp_path) == process.sandbox
        assert (tmp_path / STATE_FILE).stat().st_mode & 0o777 == 0o600
        assert "sandbox-token" not in repr(process.sandbox)
    assert find_sandbox(tmp_path) is None
    assert not (tmp_path / STATE_FILE).exists()
    assert process.child.returncode == 0
    assert refuses(process.sandbox.smtp_port)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_whatever_its_clients_do(tmp_path: Path, number: signal.Signals) -> None:
    with start_sandbox(SandboxOptions(data_dir=tmp_path)) as process:
        process.client.add_fault("email", "silence", "connect", times=1)
        process.client.add_fault("sms", "silence", "connect", times=1)
        http_port = int(process.sandbox.http_url.rpartition(":")[2])
        addresses = [("127.0.0.1", port) for port in (process.sandbox.smtp_port, http_port) for _ in range(2)]
        connections = [socket.create_connection(address, timeout=10) for address in addresses]
        connections[3].sendall(b"POST /2010-04-01/x HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")
        process.child.send_signal(number)
        assert process.child.wait(20) == 0
        for connection in connections:
            connection.close()
    assert not (tmp_path / STATE_FILE).exists()
    assert (tmp_path / "sandbox.log").read_text() == ""


def test_a_killed_one_is_not_found_and_leaves_room_for_the_next_on_the_same_ports(tmp_path: Path) -> None:
    with start_sandbox(SandboxOptions(data_dir=tmp_path)) as first:
        first.kill()
        assert (tmp_path / STATE_FILE).exists()
        assert find_sandbox(tmp_path) is None
        options = SandboxOptions(
            data_dir=tmp_path,
            http_port=int(first.sandbox.http_url.rpartition(":")[2]),
            smtp_port=first.sandbox.smtp_port,
            control_port=int(first.sandbox.control_url.rpartition(":")[2]),
        )
    with start_sandbox(options) as second:
        assert find_sandbox(tmp_path) == second.sandbox
        assert second.sandbox.model_copy(update={"pid": 0}) == first.sandbox.model_copy(update={"pid": 0})


def test_a_second_one_with_the_same_data_says_where_the_first_is(tmp_path: Path) -> None:
    with start_sandbox(SandboxOptions(data_dir=tmp_path)) as first:
        with pytest.raises(AlreadyRunning) as caught:
            start_sandbox(SandboxOptions(data_dir=tmp_path, fresh_ledger=True))
        assert first.sandbox.http_url in str(caught.value)
        assert "\n" not in str(caught.value)
        assert find_sandbox(tmp_path) == first.sandbox


def test_two_with_data_of_their_own_run_side_by_side(tmp_path: Path) -> None:
    with (
        start_sandbox(SandboxOptions(data_dir=tmp_path / "a")) as first,
        start_sandbox(SandboxOptions(data_dir=tmp_path / "b")) as second,
    ):
        assert find_sandbox(tmp_path / "a") == first.sandbox
        assert find_sandbox(tmp_path / "b") == second.sandbox


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for option, what in (("http_port", "Twilio API"), ("smtp_port", "SMTP server"), ("control_port", "control")):
            with pytest.raises(Unavailable, match=rf"{what}.*127\.0\.0\.1:{port}: Address already in use; choose"):
                start_sandbox(SandboxOptions(data_dir=tmp_path, **{option: port}))
    assert find_sandbox(tmp_path) is None


def test_two_sandboxes_never_share_a_port(tmp_path: Path) -> None:
    with (
        start_sandbox(SandboxOptions(data_dir=tmp_path / "a")) as first,
        pytest.raises(Unavailable, match="already in use"),
    ):
        start_sandbox(SandboxOptions(data_dir=tmp_path / "b", smtp_port=first.sandbox.smtp_port))


def test_it_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    script = f"""
import os, signal
from pathlib import Path
from deploy.sandbox.options import SandboxOptions
from deploy.sandbox.process import start_sandbox
process = start_sandbox(SandboxOptions(data_dir=Path({str(tmp_path)!r})))
print(process.sandbox.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL
    assert gone(int(done.stdout))
    assert not (tmp_path / STATE_FILE).exists()


def test_data_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(InvalidInput, match="data folder"):
        start_sandbox(SandboxOptions(data_dir=file))
    with pytest.raises(InvalidInput, match="is not a sandbox's ledger"):
        (tmp_path / "notes").write_text("mine")
        start_sandbox(SandboxOptions(data_dir=tmp_path, ledger=tmp_path / "notes"))
    with pytest.raises(InvalidInput, match="certificate"):
        start_sandbox(SandboxOptions(data_dir=tmp_path, smtp_certificate=file, smtp_key=file))
    assert find_sandbox(tmp_path) is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"host": "0.0.0.0"}, "loopback"),  # noqa: S104 (that is what it refuses)
        ({"host": "example.com"}, "loopback"),
        ({"account_sid": "AC1"}, "account_sid"),
        ({"smtp_user": "ada"}, "both or neither"),
        ({"smtp_key": "key.pem"}, "both or neither"),
        ({"sent_after": 2, "delivered_after": 1}, "not delivered before it is sent"),
        ({"port": 1}, "port"),
    ],
)
def test_options_that_cannot_be_meant(given: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        SandboxOptions.model_validate(given)


def test_it_listens_on_ipv6_too(tmp_path: Path) -> None:
    with start_sandbox(SandboxOptions(data_dir=tmp_path, host="::1")) as process:
        assert find_sandbox(tmp_path) == process.sandbox
        assert process.sandbox.smtp_url == f"smtp://[::1]:{process.sandbox.smtp_port}"


def test_a_door_that_was_never_opened_can_be_left() -> None:
    Door("127.0.0.1", 0, "door").leave()


def sandbox_of(folder: Path) -> Sandbox:
    return Sandbox(
        http_url="http://127.0.0.1:1",
        control_url="http://127.0.0.1:2",
        smtp_host="127.0.0.1",
        smtp_port=3,
        account_sid="AC" + "1" * 32,
        auth_token="token",
        ledger=folder / "ledger",
        pid=os.getpid(),
    )


def test_settings_point_to_the_sandbox_where_nothing_is_set(tmp_path: Path) -> None:
    settings = with_sandbox(Settings(_env_file=None), sandbox_of(tmp_path))
    assert settings.twilio_account_sid == "AC" + "1" * 32
    assert settings.twilio_auth_token == SecretStr("token")
    assert (settings.twilio_from, settings.twilio_api_url) == (SENDER, "http://127.0.0.1:1")
    assert settings.smtp_url == SecretStr("smtp://127.0.0.1:3")


def test_settings_that_are_set_stay(tmp_path: Path) -> None:
    own = Settings(
        _env_file=None,
        twilio_account_sid="AC" + "2" * 32,
        twilio_auth_token=SecretStr("secret"),
        twilio_from="+12025550100",
    )
    mixed = with_sandbox(own, sandbox_of(tmp_path))
    assert mixed == own.model_copy(update={"smtp_url": SecretStr("smtp://127.0.0.1:3")})
    email = Settings(_env_file=None, smtp_url=SecretStr("smtp://mail.example.com"), twilio_from="+12025550100")
    mixed = with_sandbox(email, sandbox_of(tmp_path))
    assert (mixed.smtp_url, mixed.twilio_from) == (SecretStr("smtp://mail.example.com"), "+12025550100")
    assert mixed.twilio_api_url == "http://127.0.0.1:1"
