"""The sandbox's ledger: what a crash, a full disk and a restart leave of it."""

import json
import smtplib
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from deploy.sandbox.ledger import Entry, LedgerWriter, read_entries, read_ledger
from deploy.sandbox.options import LEDGER_FILE, SENDER, SandboxOptions
from deploy.sandbox.process import start_sandbox
from deploy.sandbox.state import Sandbox
from engine.errors import InvalidInput

SMS = Entry(at=1.5, channel="sms", event="accepted", id="SM1", to="+12025550100", sender=SENDER, body="Grüße\n\u2028")
REFUSED = Entry(at=2.5, channel="sms", event="refused", to="+1", code=21211)
EMAIL = Entry(at=3.5, channel="email", event="accepted", id="<1@x>", to="ada@example.org", raw="a\r\n\udcff\r\n")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.ndjson"


def write(path: Path, *entries: Entry) -> None:
    with LedgerWriter(path) as ledger:
        ledger.write(*entries)


def connect(sandbox: Sandbox) -> Client:
    http = TwilioHttpClient(timeout=10)
    http.session.trust_env = False
    client = Client(sandbox.account_sid, sandbox.auth_token, http_client=http)
    client.api.base_url = sandbox.http_url
    return client


def test_what_is_written_is_read(path: Path) -> None:
    write(path, SMS, REFUSED)
    write(path, EMAIL)
    assert list(read_entries(path)) == [SMS, REFUSED, EMAIL]
    assert list(read_ledger(path)) == [SMS, EMAIL]
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    assert lines[0] == {
        "at": 1.5,
        "channel": "sms",
        "event": "accepted",
        "id": "SM1",
        "to": "+12025550100",
        "from": SENDER,
        "body": "Grüße\n\u2028",
    }
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_torn_last_line_is_left_out_and_removed(path: Path) -> None:
    write(path, SMS, REFUSED)
    whole = path.read_bytes()
    for cut in range(len(SMS.to_line()) + 1, len(whole)):
        path.write_bytes(whole[:cut])
        assert list(read_entries(path)) == [SMS]
        write(path, EMAIL)
        assert list(read_entries(path)) == [SMS, EMAIL]
    path.write_bytes(whole[:5])
    assert list(read_entries(path)) == []
    write(path, EMAIL)
    assert list(read_entries(path)) == [EMAIL]


def test_a_long_torn_line_is_removed_too(path: Path) -> None:
    write(path, SMS)
    with path.open("ab") as file:
        file.write(b'{"at":1,"body":"' + b"x" * 200_000)
    write(path, EMAIL)
    assert list(read_entries(path)) == [SMS, EMAIL]


def test_a_file_that_is_no_ledger_is_refused_and_stays(path: Path) -> None:
    path.write_text("my notes")
    for fresh in (False, True):
        with pytest.raises(InvalidInput, match="is not a sandbox's ledger"):
            LedgerWriter(path, fresh=fresh)
    assert path.read_text() == "my notes"


@pytest.mark.parametrize(
    "line", ["nonsense", "[]", '"x"', '{"at":1}', '{"at":1,"channel":"sms","event":"accepted","x":1}']
)
def test_a_line_that_is_none_is_named(path: Path, line: str) -> None:
    path.write_bytes(SMS.to_line() + line.encode() + b"\n")
    entries = read_entries(path)
    assert next(entries) == SMS
    with pytest.raises(InvalidInput, match=r"ledger\.ndjson, line 2"):
        next(entries)


def test_a_ledger_that_is_missing_is_named(path: Path) -> None:
    with pytest.raises(InvalidInput, match="No such file"):
        list(read_ledger(path))
    with pytest.raises(InvalidInput, match="can't be opened"):
        LedgerWriter(path.parent)


def test_a_full_disk_writes_all_or_nothing(path: Path) -> None:
    """The limit on a file's size stands in for the disk: the write is cut short in the same way."""
    limit = 3 * len(SMS.to_line()) + 10
    script = f"""
import resource, signal
from pathlib import Path
from deploy.sandbox.ledger import Entry, LedgerWriter
from engine.errors import StorageFull
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
entry = {SMS!r}
with LedgerWriter(Path({str(path)!r})) as ledger:
    ledger.write(entry)
    ledger.write(entry, entry)
    for _ in range(2):
        try:
            ledger.write(entry)
        except StorageFull:
            print("full")
    print(sum(ledger.counts.values()))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["full", "full", "3"]
    assert list(read_entries(path)) == [SMS, SMS, SMS]


def test_a_restarted_sandbox_knows_what_the_one_before_accepted(tmp_path: Path) -> None:
    options = SandboxOptions(data_dir=tmp_path, sent_after=0, delivered_after=0)
    with start_sandbox(options) as first:
        client = connect(first.sandbox)
        sid = client.messages.create(
            to="+12025550100", from_=SENDER, body="Hi", media_url=["https://example.com/a.png"]
        ).sid
        client.http_client.session.close()
        first.kill()
    with start_sandbox(options) as second:
        client = connect(second.sandbox)
        message = client.messages(str(sid)).fetch()
        assert (message.sid, message.body, message.num_media, message.status) == (sid, "Hi", "1", "delivered")
        another = client.messages.create(to="+12025550100", from_=SENDER, body="Hi again").sid
        assert [found.sid for found in client.messages.list(to="+12025550100")] == [another, sid]
        assert second.client.counts() == {
            "sms": {"accepted": 2, "refused": 0},
            "email": {"accepted": 0, "refused": 0},
        }
        client.http_client.session.close()
    with start_sandbox(options.model_copy(update={"fresh_ledger": True})) as third:
        assert list(third.client.entries()) == []
        assert third.client.counts()["sms"]["accepted"] == 0


def test_killed_in_the_middle_every_answered_message_is_in_the_ledger(tmp_path: Path) -> None:
    answered: list[str] = []
    with start_sandbox(SandboxOptions(data_dir=tmp_path)) as process:

        def send(connection: smtplib.SMTP, thread: int) -> None:
            number = 0
            try:
                while True:
                    name = f"<{thread}-{number}@example.com>"
                    connection.sendmail("a@example.com", "b@example.org", f"Message-ID: {name}\r\n\r\nHi\r\n")
                    answered.append(name)
                    number += 1
            except (smtplib.SMTPException, OSError):
                connection.close()

        connections = [smtplib.SMTP(process.sandbox.smtp_host, process.sandbox.smtp_port, timeout=20) for _ in range(4)]
        threads = [threading.Thread(target=send, args=(connection, n)) for n, connection in enumerate(connections)]
        for thread in threads:
            thread.start()
        while len(answered) < 200:
            assert any(thread.is_alive() for thread in threads)
        process.kill()
        for thread in threads:
            thread.join()
    accepted = [entry.id for entry in read_ledger(tmp_path / LEDGER_FILE)]
    assert len(accepted) == len(set(accepted))
    assert set(answered) <= set(accepted)
    assert len(accepted) - len(answered) <= len(threads)


def test_it_can_be_read_while_it_is_written(path: Path) -> None:
    done = threading.Event()

    def read_on() -> Iterator[int]:
        while not done.is_set():
            yield len(list(read_entries(path)))
        yield len(list(read_entries(path)))

    with LedgerWriter(path) as ledger:

        def write_on() -> None:
            for _ in range(800):
                ledger.write(SMS, EMAIL)
            done.set()

        writer = threading.Thread(target=write_on)
        writer.start()
        seen = list(read_on())
        writer.join()
    assert seen == sorted(seen)
    assert seen[-1] == 1600
