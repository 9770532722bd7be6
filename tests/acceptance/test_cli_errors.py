"""Whatever is wrong, `cadenza` says so in one line, ends with the right exit code and leaves everything as it was."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from cli import Cli, Ran, ReadyCli, counts, fresh_database, query, ready_server
from pydantic import SecretStr

from engine.database import Database
from engine.settings import Settings
from producers.sequences import publish
from schema.definition import parse

FAILED, MISUSED, IN_PART = 1, 2, 3

SEQUENCES = (
    "sequence: both\nsteps: [{key: a, type: sms, body: Hi}, {key: b, type: email, delay: 1 day, subject: S, text: T}]",
    'sequence: texts\nsteps: [{key: a, type: sms, body: "Hi {{ custom.plan }}"}]',
)

#: Where nobody listens.
NO_POSTGRES = "postgresql://u:hunter2@127.0.0.1:1/nothing"
NO_REDIS = "redis://:hunter2@127.0.0.1:1/0"

GOOD = "email,phone\na@example.com,+12025550101\n"

PRODUCTION: Final = {
    "CADENZA_ENVIRONMENT": "production",
    "CADENZA_TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
    "CADENZA_TWILIO_AUTH_TOKEN": "hunter2",
    "CADENZA_TWILIO_FROM": "+12025550100",
    "CADENZA_SMTP_URL": "smtp://127.0.0.1:1",
}


@pytest.fixture(scope="module")
def server() -> Iterator["subprocess.Popen[bytes]"]:
    with ready_server() as server:
        yield server


@pytest.fixture(scope="module")
def own_url(servers: Settings, template: str) -> Iterator[str]:
    """A migrated database with sequences, which no test changes."""
    assert servers.database_url is not None
    with fresh_database(servers.database_url.get_secret_value(), template) as url:
        database = Database(url, name="cadenza-test")
        with database.transaction() as session:
            for text in SEQUENCES:
                publish(session, 1, parse(text))
        database.close()
        yield url


@pytest.fixture
def unchanged(own_url: str) -> Iterator[Database]:
    """The database, which is to be as it was when the test ends."""
    database = Database(own_url, name="cadenza-test")
    before = counts(database)
    yield database
    after = counts(database)
    database.close()
    assert after == before


@pytest.fixture
def cli(servers: Settings, own_url: str, unchanged: Database, server: "subprocess.Popen[bytes]", tmp_path: Path) -> Cli:
    settings = servers.model_copy(
        update={"database_url": SecretStr(own_url), "data_dir": tmp_path / "data", "metrics_port": 0}
    )
    return ReadyCli(settings, tmp_path, server)


def assert_refused(ran: Ran, code: int, *says: str) -> None:
    """One line that says all of this, nothing on standard output, and never a secret."""
    complaint = ran.check(code).complaint
    assert ran.out == ""
    for part in says:
        assert part in complaint
    assert "hunter2" not in complaint


# --- apply ---------------------------------------------------------------------------------------------------------

STEP = "sequence: s\nsteps:\n  - {{key: a, type: sms, body: x}}\n  - {}\n"
FIRST = "sequence: s\nsteps:\n  - {}\n"

#: Files that can't be published, each with the lines that have to be said: the line of the file (0: none), then words.
INVALID: Final[dict[str, tuple[str | bytes, list[tuple[int, list[str]]]]]] = {
    "unknown-key.yaml": (
        FIRST.format("{key: a, type: sms, body: x, bdoy: x}"),
        [(3, ["step a", "'bdoy'", "did you mean 'body'"])],
    ),
    "unknown-top-key.yaml": ("nmae: x\n" + FIRST.format("{key: a, type: sms, body: x}"), [(1, ["'nmae'", "'name'"])]),
    "duplicate-key.yaml": (STEP.format("{key: a, type: sms, delay: 1 day, body: y}"), [(4, ["key 'a'", "line 3"])]),
    "key-twice.yaml": (FIRST.format("{key: a, key: b, type: sms, body: x}"), [(3, ["'key' is given twice"])]),
    "short-delay.yaml": (
        STEP.format('{key: b, type: sms, delay: "0.5 minutes", body: y}'),
        [(4, ["step b", "1 minute"])],
    ),
    "no-delay.yaml": (STEP.format("{key: b, type: sms, body: y}"), [(4, ["'delay' is missing", "1 minute"])]),
    "unknown-unit.yaml": (STEP.format("{key: b, type: sms, delay: 1 dya, body: y}"), [(4, ["'dya'", "did you mean"])]),
    "no-unit.yaml": (STEP.format("{key: b, type: sms, delay: 90, body: y}"), [(4, ["'90'", "no unit"])]),
    "negative.yaml": (STEP.format("{key: b, type: sms, delay: -1 day, body: y}"), [(4, ["'-1 day'"])]),
    "unparsed.yaml": (
        FIRST.format("{key: a, type: sms, body: 'Hi {{ contact.first_name'}"),
        [(3, ["doesn't parse", "}}"])],
    ),
    "open-block.yaml": (FIRST.format("{key: a, type: sms, body: '{% if custom.a %}Hi'}"), [(3, ["endif"])]),
    "unknown-variable.yaml": (
        FIRST.format("{key: a, type: sms, body: 'Hi {{ contact.frist_name }}'}"),
        [(3, ["'contact.frist_name'", "did you mean 'contact.first_name'"])],
    ),
    "unknown-filter.yaml": (
        FIRST.format("{key: a, type: sms, body: '{{ custom.a | upcasse }}'}"),
        [(3, ["'upcasse'"])],
    ),
    "unknown-tag.yaml": (FIRST.format("{key: a, type: sms, body: '{% include x %}'}"), [(3, ["include"])]),
    "long.yaml": (FIRST.format("{key: a, type: sms, body: " + "x" * 1_601 + "}"), [(3, ["1,601", "1,600"])]),
    "no-subject.yaml": (FIRST.format("{key: a, type: email, text: x}"), [(3, ["'subject' is missing"])]),
    "no-body.yaml": (FIRST.format("{key: a, type: sms}"), [(3, ["'body' is missing"])]),
    "no-text.yaml": (FIRST.format("{key: a, type: email, subject: x}"), [(3, ["'text' and 'html' are both missing"])]),
    "no-type.yaml": (FIRST.format("{key: a, body: x}"), [(3, ["'type' is missing", "sms, email"])]),
    "unknown-type.yaml": (FIRST.format("{key: a, type: smss, body: x}"), [(3, ["'smss'", "did you mean 'sms'"])]),
    "no-branch.yaml": (
        FIRST.format("{key: a, type: condition, if: {opened: nothing}}"),
        [(3, ["no step 'nothing' is before it"]), (3, ["'then' and 'else' are both missing"])],
    ),
    "no-window.yaml": (
        "window: {from: '9 am'}\n" + FIRST.format("{key: a, type: sms, body: x}"),
        [(1, ["'9 am' is not a time of day"])],
    ),
    "no-time.yaml": (
        STEP.format("{key: b, type: sms, delay: 1 day, at: '25:00', body: y}"),
        [(4, ["'25:00' is not a time of day"])],
    ),
    "no-step-key.yaml": (FIRST.format("{type: sms, body: x}"), [(3, ["step #1", "'key' is missing"])]),
    "bad-key.yaml": (
        "sequence: Not A Key\nsteps:\n  - {key: a, type: sms, body: x}\n",
        [(1, ["'Not A Key'", "lower-case"])],
    ),
    "number.yaml": (FIRST.format("{key: a, type: sms, body: 12}"), [(3, ["must be text", "quotes"])]),
    "media.yaml": (FIRST.format("{key: a, type: sms, body: x, media_url: 'ftp://h/x'}"), [(3, ["https://"])]),
    "reentry.yaml": (
        "reentry: often\n" + FIRST.format("{key: a, type: sms, body: x}"),
        [(1, ["'often'", "after_exit"])],
    ),
    "no-steps.yaml": ("sequence: s\n", [(1, ["'steps' is missing"])]),
    "empty-steps.yaml": ("sequence: s\nsteps: []\n", [(2, ["'steps' is empty"])]),
    "many.yaml": ("sequence: s\nsteps:\n" + "  - {type: sms}\n" * 201, [(2, ["201 steps", "200"])]),
    "list.yaml": ("- a\n- b\n", [(1, ["expected a mapping"])]),
    "empty.yaml": ("", [(0, ["empty"])]),
    "comment.yaml": ("# nothing\n", [(0, ["empty"])]),
    "broken.yaml": ("sequence: [a\nsteps: }", [(2, ["not valid YAML"])]),
    "tab.yaml": ("sequence: s\nsteps:\n\t- key: a", [(3, ["a tab"])]),
    "anchor.yaml": ("sequence: &a s\nsteps: [*a]", [(2, ["anchors"])]),
    "two.yaml": ("sequence: s\n---\nsequence: t\n", [(2, ["---"])]),
    "binary.yaml": (b"\x00\x01\x02", [(0, ["binary"])]),
    "latin.yaml": ("sequence: s\nname: Köln\n".encode("latin-1"), [(2, ["0xF6", "UTF-8"])]),
    "utf16.yaml": ("sequence: s\n".encode("utf-16"), [(0, ["UTF-16"])]),
    "control.yaml": (b"sequence: s\nname: a\x07b\n", [(2, ["U+0007"])]),
    "huge.yaml": ("#" * ((1 << 20) + 1), [(0, ["1 MiB"])]),
    "brace.json": ('{"sequence": "s",\n"steps": [{"key": "a"', [(2, ["not valid YAML"])]),
    "several.yaml": (
        (
            "sequence: s\nnmae: x\nsteps:\n"
            "  - {key: a, type: sms, body: '{{ contact.nmae }}'}\n"
            "  - {key: a, type: email, delay: 1 moon}\n"
            "  - {key: c, type: fax}\n"
        ),
        [
            (2, ["'nmae'"]),
            (4, ["step a", "'contact.nmae'"]),
            (5, ["step a", "'subject' is missing"]),
            (5, ["'moon'"]),
            (5, ["'text' and 'html'"]),
            (5, ["another step has the key 'a'"]),
            (6, ["step c", "fax"]),
        ],
    ),
}


def test_apply_tells_all_that_is_wrong_with_all_files_and_publishes_none(cli: Cli) -> None:
    for name, (content, _) in INVALID.items():
        cli.file(name, content)
    cli.file("good.yaml", "sequence: good\nsteps: [{key: a, type: sms, body: x}]")
    cli.file("again.yaml", "sequence: good\nsteps: [{key: a, type: sms, body: y}]")
    (cli.folder / "folder.yaml").mkdir()
    ran = cli("apply", "good.yaml", *INVALID, "again.yaml", "folder.yaml", "nowhere.yaml", "--json").check(MISUSED)
    assert ran.out == ""
    *problems, summary = ran.err.splitlines()
    assert summary == f"cadenza: nothing was published: {len(INVALID) + 3} of {len(INVALID) + 4} files can't be used"
    for name, (_, expected) in INVALID.items():
        said = [line for line in problems if line.startswith(f"{name}:")]
        for line, words in expected:
            place = f"{name}:{line}:" if line else f"{name}: "
            assert any(one.startswith(place) and all(word in one for word in words) for one in said), (words, said)
        if name != "many.yaml":
            assert len(said) == len(expected), said
    assert [line for line in problems if line.startswith("again.yaml")] == [
        "again.yaml: sequence 'good' is also in good.yaml"
    ]
    assert "folder.yaml: can't be read: Is a directory" in problems
    assert "nowhere.yaml: can't be read: No such file or directory" in problems
    assert not any("good.yaml:" in line.partition(" ")[0] for line in problems)


def test_apply_needs_a_workspace_that_exists(cli: Cli) -> None:
    cli.file("good.yaml", "sequence: good\nsteps: [{key: a, type: sms, body: x}]")
    assert_refused(cli("apply", "good.yaml", "-w", "nowhere"), MISUSED, "unknown workspace 'nowhere'", "default")


# --- enroll --------------------------------------------------------------------------------------------------------

#: The file, its content, and what is said of it.
FILES: Final[list[tuple[str, str | bytes, list[str]]]] = [
    ("empty.csv", "", ["empty.csv is empty"]),
    ("blank.csv", "\n\n  \n", ["blank.csv is empty"]),
    ("bom.csv", b"\xef\xbb\xbf", ["bom.csv is empty"]),
    ("header.csv", "email,phone\n", ["header.csv has a header but no records"]),
    ("binary.csv", bytes(range(256)) * 20, ["binary.csv is not text", "NUL"]),
    ("sheet.csv", b"PK\x03\x04" + bytes(100), ["Excel", "save it as CSV"]),
    ("packed.csv", b"\x1f\x8b\x08" + bytes(100), ["gzip", "unpack it"]),
    ("utf16.csv", GOOD.encode("utf-16-le"), ["not text", "--encoding utf-16-le"]),
    ("missing.csv", "name,city\nAnn,Bonn\n", ["no column email and phone", "'both'", "found: name, city"]),
    (
        "renamed.csv",
        "E-Mail Address,Mobile\na@b.example,+12025550101\n",
        ["did you mean 'Mobile'", "Rename it to phone"],
    ),
    (
        "headless.csv",
        "a@example.com,+12025550101\nb@example.com,+12025550102\n",
        ["The first line must name the columns"],
    ),
    ("doubled.csv", "email,phone,E-Mail\na,b,c\n", ["columns 1 and 3 are both 'email'"]),
    ("nameless.csv", "email,,phone\na,b,c\n", ["column 2 has no name"]),
    ("quote.csv", '"email,phone\na,b\n', ["the header can't be read", "never closed"]),
    ("lines.csv", '{"email": "a@example.com"}\n', ["looks like NDJSON", "--format ndjson"]),
    ("empty.ndjson", "", ["empty.ndjson is empty"]),
    ("array.ndjson", '[{"email": "a@example.com"}]', ["JSON array", "one object a line"]),
]


@pytest.mark.parametrize(("name", "content", "says"), FILES, ids=[name for name, _, _ in FILES])
def test_a_file_that_cannot_be_enrolled(cli: Cli, name: str, content: str | bytes, says: list[str]) -> None:
    cli.file(name, content)
    assert_refused(cli("enroll", "both", name, "--json"), MISUSED, *says)
    assert not (cli.folder / f"{name}.rejected.csv").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["both", "nowhere.csv"], ["nowhere.csv: no such file"]),
        (["both", "."], [". is a directory", "name a file in it"]),
        (["both", "two\nlines.csv"], ["two lines.csv: no such file"]),
        (["both", "-"], ["standard input is empty"]),
        (["nothing", "good.csv"], ["unknown sequence 'nothing'", "both, texts"]),
        (["boht", "good.csv"], ["unknown sequence 'boht'", "did you mean 'both'"]),
        (["both", "good.csv", "-w", "nowhere"], ["unknown workspace 'nowhere'"]),
        (["both", "good.csv", "--format", "xml"], ["format 'xml'", "csv, ndjson"]),
        (["both", "good.csv", "--encoding", "klingon"], ["encoding 'klingon'", "latin-1"]),
        (["both", "good.csv", "--region", "Texas"], ["region 'Texas'", "US or GB"]),
        (["both", "good.csv", "--batch", " "], ["--batch", "1 to 255"]),
        (["both", "good.csv", "--rejects", "."], ["rejects can't go to .", "--rejects"]),
        (["both", "good.csv", "--rejects", "nowhere/x.csv"], ["nowhere/x.csv", "no such folder"]),
        (["both", "good.csv", "--rejects", "good.csv"], ["good.csv", "holds something else"]),
    ],
)
def test_enroll_refuses_what_it_cannot_use(cli: Cli, arguments: list[str], says: list[str]) -> None:
    good = cli.file("good.csv", GOOD)
    assert_refused(cli("enroll", *arguments), MISUSED, *says)
    assert good.read_text() == GOOD


def test_a_full_disk_for_the_rejects_enrolls_nobody(cli: Cli) -> None:
    cli.file("some.csv", GOOD + "nobody,+12025550102\n")
    for batch in ([], ["--batch", "monday"]):
        ran = cli("enroll", "both", "some.csv", "--rejects", "/dev/full", *batch)
        assert_refused(ran, FAILED, "/dev/full", "No space left", "0 records are done", "--rejects")


def test_lines_that_are_all_rejected_are_told_and_enroll_nobody(cli: Cli) -> None:
    cli.file("bad.csv", "email,phone\nnobody,12\n,+12025550101\na@example.com,\n")
    ran = cli("enroll", "both", "bad.csv", "--json").check(IN_PART)
    assert [line.partition(":")[0] for line in ran.err.splitlines()] == ["line 2", "line 3", "line 4"]
    assert (ran.document["enrolled"], ran.document["rejected"], ran.document["records"]) == (0, 3, 3)
    assert (cli.folder / "bad.csv.rejected.csv").read_text().startswith("line,reason,email,phone\n2,")


def test_a_dry_run_enrolls_nobody(cli: Cli) -> None:
    cli.file("good.csv", GOOD)
    assert cli("enroll", "both", "good.csv", "--dry-run", "--json").check(0).document["enrolled"] == 1


# --- publish -------------------------------------------------------------------------------------------------------

WHO = ["publish", "texts", "--phone", "+12025550123"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["publish", "texts"], ["phone is missing"]),
        (["publish", "texts", "--phone", "12"], ["phone '12' is not valid in region US"]),
        (["publish", "texts", "--phone", ""], ["phone is missing"]),
        (["publish", "nothing", "--phone", "+12025550123"], ["unknown sequence 'nothing'", "both, texts"]),
        ([*WHO, "-w", "nowhere"], ["unknown workspace 'nowhere'"]),
        ([*WHO, "--email", "nobody"], ["email 'nobody' is not valid", "@-sign"]),
        ([*WHO, "--timezone", "Mars/Base"], ["timezone 'Mars/Base'", "Europe/Berlin"]),
        ([*WHO, "--external-id", "x" * 300], ["external_id is longer than 255"]),
        ([*WHO, "--idempotency-key", " "], ["idempotency key", "1 to 255"]),
        ([*WHO, "--data", ""], ["--data is no JSON", "expected a JSON object"]),
        ([*WHO, "--data", "{plan: pro}"], ["--data is no JSON", "expected a JSON object"]),
        ([*WHO, "--data", "[1, 2]"], ["--data: expected a JSON object"]),
        ([*WHO, "--data", '"pro"'], ["--data: expected a JSON object"]),
        ([*WHO, "--data", '{"a": NaN}'], ["data can't be stored", "finite"]),
        ([*WHO, "--data", '{"a": "\\u0000"}'], ["data can't be stored", "NUL"]),
        ([*WHO, "--data", '{"a": "\\ud800"}'], ["data can't be stored", "surrogate"]),
        ([*WHO, "--data", '{"a": ' + "[" * 99 + "]" * 99 + "}"], ["data can't be stored", "nested deeper"]),
        ([*WHO, "--data", "[" * 100_000], ["--data is nested too deep"]),
        ([*WHO, "--data", '{"a": "' + "x" * 70_000 + '"}'], ["data is larger than 64 KiB"]),
    ],
)
def test_publish_refuses_what_it_cannot_use(cli: Cli, arguments: list[str], says: list[str]) -> None:
    assert_refused(cli(*arguments, "--json"), MISUSED, *says)


# --- servers and settings ------------------------------------------------------------------------------------------

#: Every command that talks to the database.
TALKERS: Final = [
    ["status"],
    ["migrate"],
    ["migrate", "down"],
    ["apply", "good.yaml"],
    ["enroll", "both", "good.csv"],
    ["publish", "texts", "--phone", "+12025550123"],
    ["worker"],
    ["api", "--port", "0"],
    ["up"],
    ["audit"],
    ["review"],
    ["review", "1", "skip"],
    ["clock"],
    ["clock", "advance", "1 day"],
    ["clock", "rate", "5"],
    ["clock", "reset"],
    ["workspace", "add", "another"],
    ["workspace", "list"],
]


def with_files(cli: Cli) -> Cli:
    cli.file("good.csv", GOOD)
    cli.file("good.yaml", "sequence: good\nsteps: [{key: a, type: sms, body: x}]")
    return cli


@pytest.mark.parametrize("arguments", TALKERS, ids=" ".join)
def test_a_database_that_nobody_answers_at(cli: Cli, arguments: list[str]) -> None:
    ran = with_files(cli)(*arguments, CADENZA_DATABASE_URL=NO_POSTGRES)
    assert_refused(ran, FAILED, "Postgres", '"127.0.0.1", port 1', "CADENZA_DATABASE_URL")


@pytest.mark.parametrize("arguments", [one for one in TALKERS if one[0] not in ("migrate", "up", "api")], ids=" ".join)
def test_a_database_that_is_not_migrated(cli: Cli, empty_url: str, arguments: list[str]) -> None:
    assert_refused(with_files(cli)(*arguments, CADENZA_DATABASE_URL=empty_url), FAILED, "run `cadenza migrate`")


@pytest.fixture(scope="module")
def empty_url(servers: Settings) -> Iterator[str]:
    assert servers.database_url is not None
    with fresh_database(servers.database_url.get_secret_value(), "template1") as url:
        yield url


@pytest.fixture
def newer_url(servers: Settings, template: str) -> Iterator[str]:
    """A database that a later version has migrated."""
    assert servers.database_url is not None
    with fresh_database(servers.database_url.get_secret_value(), template) as url:
        database = Database(url, name="cadenza-test")
        with database.transaction() as session:
            session.execute("UPDATE alembic_version SET version_num = 'later'")
        database.close()
        yield url


def test_a_database_of_a_later_version(cli: Cli, newer_url: str) -> None:
    for arguments in (["migrate"], ["migrate", "down"], ["up"]):
        ran = cli(*arguments, CADENZA_DATABASE_URL=newer_url)
        assert_refused(ran, FAILED, "'later'", "a newer Cadenza has migrated it")
    assert_refused(cli("worker", CADENZA_DATABASE_URL=newer_url), FAILED, "revision later")


def test_going_back_further_than_there_is(cli: Cli) -> None:
    assert_refused(cli("migrate", "down", "99"), MISUSED, "cannot go down by 99")


@pytest.mark.parametrize("arguments", [["status"], ["migrate"], ["enroll", "both", "good.csv"]], ids=" ".join)
def test_credentials_that_postgres_refuses(cli: Cli, own_url: str, arguments: list[str]) -> None:
    refused = "postgresql://nobody_here:hunter2@" + own_url.rpartition("@")[2]
    assert_refused(with_files(cli)(*arguments, CADENZA_DATABASE_URL=refused), FAILED, "Postgres", "nobody_here")


def test_a_database_that_does_not_exist(cli: Cli, own_url: str) -> None:
    nowhere = own_url[: own_url.rindex("/")] + "/nowhere"
    assert_refused(cli("status", CADENZA_DATABASE_URL=nowhere), FAILED, 'database "nowhere" does not exist')


def test_a_role_that_may_not_make_tables_is_told_who_may(cli: Cli, own_url: str, unchanged: Database) -> None:
    with unchanged.connect() as session:
        session.execute("CREATE ROLE cadenza_reader LOGIN PASSWORD 'hunter2'")
        try:
            with fresh_database(own_url, "template1") as empty:
                url = "postgresql://cadenza_reader:hunter2@" + empty.rpartition("@")[2]
                ran = cli("migrate", CADENZA_DATABASE_URL=url)
            assert_refused(ran, FAILED, "permission denied", "a role that owns the database", "ALTER DATABASE")
        finally:
            session.execute("DROP ROLE cadenza_reader")


@pytest.mark.parametrize("redis", ["nobody listens", "credentials are refused"])
def test_without_redis_people_are_enrolled_all_the_same(cli: Cli, unchanged: Database, redis: str) -> None:
    where = cli.environment["CADENZA_REDIS_URL"].rpartition("@")[2].removeprefix("redis://")
    url = NO_REDIS if redis == "nobody listens" else f"redis://nobody:hunter2@{where}"
    cli.file("good.csv", GOOD)
    before = query(unchanged, "SELECT count(*) FROM outbox")
    with_query = "SELECT count(*) FROM outbox WHERE status = 'pending'"
    enrolled = cli("enroll", "both", "good.csv", "--json", CADENZA_REDIS_URL=url).check(0)
    assert "the enrollments stand, and the sweeper makes up for their wake-ups" in enrolled.complaint
    assert "hunter2" not in enrolled.err
    published = cli("publish", "texts", "--phone", "+12025550199", "--json", CADENZA_REDIS_URL=url).check(0)
    assert published.document["created"]
    assert published.err.count("\n") == 1
    assert "the sweeper will make up for them" in published.err
    assert query(unchanged, with_query) == [(before[0][0] + 3,)]
    status = cli("status", "--json", CADENZA_REDIS_URL=url).check(0)
    assert status.document["wakeups"] is None
    assert "wake-ups are not counted" in status.complaint
    with unchanged.transaction() as session:
        for table in ("outbox", "enrollments", "contacts", "batches"):
            session.execute(f"DELETE FROM {table}".encode())


@pytest.mark.parametrize(
    "url",
    [
        "hunter2",
        "http://u:hunter2@h/d",
        "postgresql://u:hunter2@[h/d",
        "postgresql://u:hunter2@h:port/d",
        "host=h password=hunter2",
        "postgresql://u:hunter2@h:99999/d",
    ],
)
def test_a_database_url_that_cannot_be_read(cli: Cli, url: str) -> None:
    ran = cli("status", CADENZA_DATABASE_URL=url)
    assert_refused(ran, MISUSED, "CADENZA_DATABASE_URL can't be read", "postgresql://user:password@host:port/database")


@pytest.mark.parametrize(
    "url",
    ["hunter2", "http://:hunter2@h/0", "redis://:hunter2@[h/0", "redis://:hunter2@h:port/0", "redis://:hunter2/@h:1"],
)
def test_a_redis_url_that_cannot_be_read(cli: Cli, url: str) -> None:
    assert_refused(cli("status", CADENZA_REDIS_URL=url), MISUSED, "CADENZA_REDIS_URL can't be read", "redis://user")


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"CADENZA_LEASE_SECONDS": "soon"}, ["CADENZA_LEASE_SECONDS", "number"]),
        ({"CADENZA_SWEEP_SECONDS": "-1", "CADENZA_IN_FLIGHT": "0"}, ["CADENZA_SWEEP_SECONDS", "CADENZA_IN_FLIGHT"]),
        ({"CADENZA_METRICS_PORT": "70000"}, ["CADENZA_METRICS_PORT", "65535"]),
        ({"CADENZA_LOG_LEVEL": "loud"}, ["CADENZA_LOG_LEVEL", "'debug', 'info', 'warning' or 'error'"]),
        ({"CADENZA_ENVIRONMENT": "staging"}, ["CADENZA_ENVIRONMENT", "'development' or 'production'"]),
        ({"CADENZA_SMTP_GUARANTEE": "maybe"}, ["CADENZA_SMTP_GUARANTEE", "'at_most_once' or 'at_least_once'"]),
        ({"CADENZA_TWILIO_ACCOUNT_SID": "AC1"}, ["CADENZA_TWILIO_AUTH_TOKEN is missing"]),
        ({**PRODUCTION, "CADENZA_DATABASE_URL": ""}, ["must be set: CADENZA_DATABASE_URL"]),
        ({**PRODUCTION, "CADENZA_REDIS_URL": ""}, ["must be set: CADENZA_REDIS_URL"]),
    ],
)
def test_settings_that_cannot_be_used(cli: Cli, environment: dict[str, str], says: list[str]) -> None:
    assert_refused(cli("status", "--json", **environment), MISUSED, "invalid settings: ", *says)


def test_a_setting_that_is_empty_is_unset(cli: Cli) -> None:
    assert cli("status", "--json", CADENZA_LEASE_SECONDS="", CADENZA_WORKSPACE="").check(0).document["rows"]


def test_settings_in_a_file_are_told_of_too(cli: Cli) -> None:
    cli.file(".env", "CADENZA_RETRY_SECONDS=never\n")
    del cli.environment["CADENZA_RETRY_SECONDS"]
    assert_refused(cli("status"), MISUSED, "CADENZA_RETRY_SECONDS")


def test_a_worker_without_a_provider_says_how_to_get_one(cli: Cli) -> None:
    assert_refused(cli("worker"), FAILED, "no sandbox runs", "cadenza sandbox", "CADENZA_TWILIO_ACCOUNT_SID")


def test_a_port_that_is_taken(cli: Cli) -> None:
    where = cli.environment["CADENZA_REDIS_URL"].rpartition(":")[2].partition("/")[0]
    ran = cli("worker", **PRODUCTION, CADENZA_METRICS_PORT=where)
    assert_refused(ran, FAILED, f"127.0.0.1:{where}", "CADENZA_METRICS_PORT")


def test_a_data_folder_that_cannot_be_made(cli: Cli) -> None:
    cli.file("data-file", "")
    ran = cli("status", CADENZA_DATABASE_URL="", CADENZA_DATA_DIR="data-file/below")
    assert_refused(ran, FAILED, "data-file/below", "CADENZA_DATA_DIR")


# --- clock, sandbox, audit, workspace ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["advance", ""], ["is not a duration", "1 day"]),
        (["advance", "soon"], ["'soon' is not a duration"]),
        (["advance", "3"], ["has no unit"]),
        (["advance", "3 dayz"], ["unknown unit 'dayz'", "did you mean 'day'"]),
        (["advance", "0 days"], ["only advances"]),
        (["advance", "--", "-3 days"], ["is not a duration"]),
        (["advance", "20 weeks and a day"], ["unknown unit"]),
        (["advance", "99999 weeks"], ["too long", "ten years"]),
        (["rate", "0"], ["above 0"]),
        (["rate", "--", "-1"], ["above 0"]),
        (["rate", "nan"], ["above 0"]),
        (["rate", "inf"], ["at most 31536000"]),
        (["rate", "fast"], ["'fast' is not a number", "86400 is a day a second"]),
    ],
)
def test_the_clock_refuses_what_it_cannot_use(cli: Cli, arguments: list[str], says: list[str]) -> None:
    assert_refused(cli("clock", *arguments), MISUSED, *says)


@pytest.mark.parametrize("arguments", [["advance", "1 day"], ["rate", "60"], ["reset"]], ids=" ".join)
def test_the_clock_stands_still_for_nobody_in_production(cli: Cli, arguments: list[str]) -> None:
    assert_refused(cli("clock", *arguments, **PRODUCTION), MISUSED, "CADENZA_ENVIRONMENT is production")
    assert "real time" in cli("clock", **PRODUCTION).check(0).out


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["sandbox", "faults"], FAILED, ["no sandbox runs", "cadenza sandbox"]),
        (["sandbox", "fault", "sms", "drop"], FAILED, ["no sandbox runs"]),
        (["sandbox", "mend"], FAILED, ["no sandbox runs"]),
        (["sandbox", "fault", "fax", "drop"], MISUSED, ["sms or email", "'fax'"]),
        (["sandbox", "--host", "0.0.0.0"], MISUSED, ["loopback", "0.0.0.0"]),  # noqa: S104 (it is refused)
        (["sandbox", "--http-port", "70000"], MISUSED, ["--http-port", "65535"]),
        (["sandbox", "--ledger", "good.csv"], MISUSED, ["good.csv", "not a sandbox's ledger"]),
        (["sandbox", "--ledger", "."], MISUSED, ["ledger"]),
        (["audit", "--ledger", "nowhere"], MISUSED, ["nowhere", "No such file"]),
        (["audit", "--ledger", "good.csv"], MISUSED, ["good.csv, line 1", "not an entry"]),
        (["audit"], MISUSED, ["ledger", "No such file"]),
        (["workspace", "add", "Not A Key"], MISUSED, ["'Not A Key'", "lower-case"]),
        (["workspace", "add", "default"], MISUSED, ["there is a workspace 'default' already"]),
        (["workspace", "add", "w", "--timezone", "Mars/Base"], MISUSED, ["'Mars/Base'", "IANA"]),
        (["workspace", "add", "w", "--region", "ZZ"], MISUSED, ["'ZZ'", "ISO 3166"]),
        (["workspace", "add", "w", "--name", " "], MISUSED, ["1 to 200"]),
        (["workspace", "add", "w", "--quiet-hours", "night"], MISUSED, ["'night'", "20:00-09:00", "off"]),
        (["workspace", "set", "nowhere", "--name", "x"], MISUSED, ["unknown workspace 'nowhere'"]),
        (["workspace", "set", "default", "--quiet-hours", "20:00-20:00"], MISUSED, ["can't be quiet hours"]),
        (["workspace", "set", "default", "--holidays", "24.12.2026"], MISUSED, ["can't be holidays", "2026-12-24"]),
        (["status", "-w", "nowhere"], MISUSED, ["unknown workspace 'nowhere'"]),
        (["review", "1"], MISUSED, ["both the row and the decision"]),
        (["review", "4711", "skip"], MISUSED, ["4711"]),
        (["review", "4711", "stop"], MISUSED, ["a row is decided by sent, resend or skip, not by stop"]),
        (["review", "--messages", "4711", "stop"], MISUSED, ["no message 4711"]),
        (["review", "--messages", "4711", "sent"], MISUSED, ["a message is decided by stop or ignore, not by sent"]),
        (["review", "-w", "nowhere"], MISUSED, ["unknown workspace 'nowhere'"]),
    ],
)
def test_the_others_refuse_what_they_cannot_use(cli: Cli, arguments: list[str], code: int, says: list[str]) -> None:
    cli.file("good.csv", GOOD)
    assert_refused(cli(*arguments), code, *says)


# --- the command line itself ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["enrol"], ["No such command 'enrol'", "cadenza --help"]),
        (["--version-of-what"], ["No such option: --version-of-what", "cadenza --help"]),
        (["clock", "forward"], ["No such command 'forward'", "cadenza clock --help"]),
        (["enroll"], ["Missing argument", "sequence", "cadenza enroll --help"]),
        (["enroll", "both"], ["Missing argument", "file"]),
        (["enroll", "both", "a", "b"], ["unexpected extra argument", "b"]),
        (["enroll", "both", "a", "--batch"], ["--batch", "requires an argument"]),
        (["enroll", "both", "a", "--bacth", "x"], ["No such option: --bacth", "--batch"]),
        (["apply"], ["Missing argument", "FILE"]),
        (["status", "--jason"], ["No such option: --jason"]),
        (["worker", "--processes", "0"], ["--processes", "1"]),
        (["worker", "--threads", "many"], ["--threads", "integer"]),
        (["migrate", "sideways"], ["'sideways'", "'up', 'down'"]),
        (["migrate", "down", "0"], ["'N'", "1"]),
        (["clock", "rate", "-1"], ["No such option: -1"]),
        (["clock", "advance"], ["Missing argument", "TIME"]),
        (["sandbox", "fault", "sms"], ["Missing argument", "latency, reply"]),
        (["sandbox", "fault", "sms", "sneeze"], ["'sneeze'", "'latency', 'reply'"]),
        (["review", "one", "skip"], ["row", "integer"]),
        (["review", "1", "maybe"], ["'maybe'", "resend"]),
    ],
)
def test_misuse_is_told_in_one_line_that_names_the_help(cli: Cli, arguments: list[str], says: list[str]) -> None:
    assert_refused(cli(*arguments), MISUSED, *says)


@pytest.mark.parametrize("arguments", [[], ["workspace"]], ids=["cadenza", "cadenza workspace"])
def test_who_asks_for_nothing_is_shown_the_help(cli: Cli, arguments: list[str]) -> None:
    ran = cli(*arguments).check(MISUSED)
    assert ran.out == ""
    assert ran.err.startswith("Usage: cadenza ")


@pytest.mark.parametrize("arguments", [["schema"], ["status"]], ids=" ".join)
def test_output_that_cannot_be_written_is_one_line_too(cli: Cli, arguments: list[str]) -> None:
    command = [sys.executable, "-m", "deploy.cli", *arguments]
    with Path("/dev/full").open("wb") as full:
        ran = subprocess.run(
            command, cwd=cli.folder, env=cli.environment, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert_refused(Ran(ran.returncode, "", ran.stderr), FAILED, "standard output can't be written: No space left")


def test_a_reader_that_leaves_early_is_no_matter(cli: Cli) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "deploy.cli", "schema"],
        cwd=cli.folder,
        env=cli.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == FAILED


def test_a_file_whose_name_is_no_text_can_be_told_of(cli: Cli) -> None:
    name = b"K\xf6ln.csv".decode(errors="surrogateescape")
    cli.file(name, "email,phone\nnobody,12\n")
    for arguments in ([], ["--json"]):
        ran = cli("enroll", "both", name, *arguments).check(IN_PART)
        assert "rejected" in ran.out
    assert ran.document["rejects_path"] == f"{name}.rejected.csv"
