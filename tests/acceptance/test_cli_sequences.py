"""Sequences and their enrollments from the command line: listed, named, copied, reordered, tagged, archived."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from cli import Cli, ReadyCli, ready_server

from engine.settings import Settings

VISIT = """
sequence: visit
name: Visit
tags: [demo]
steps:
  - {key: hello, type: email, subject: Hi, text: "Hello\\n"}
  - {key: ring, type: call, delay: 1 day, name: Ring them}
  - {key: bye, type: email, delay: 2 days, subject: Bye, text: Bye}
"""


@pytest.fixture(scope="module")
def server() -> Iterator["subprocess.Popen[bytes]"]:
    with ready_server() as server:
        yield server


@pytest.fixture
def cli(settings: Settings, tmp_path: Path, server: "subprocess.Popen[bytes]") -> Cli:
    return ReadyCli(settings, tmp_path, server)


@pytest.fixture
def visit(cli: Cli) -> Cli:
    cli.file("visit.yaml", VISIT)
    cli("apply", "visit.yaml").check(0)
    for name in ("Ada", "Bob"):
        cli("publish", "visit", "--email", f"{name}@example.com", "--first-name", name).check(0)
    return cli


def test_sequences_are_listed_tagged_copied_and_reordered(visit: Cli) -> None:
    (one,) = visit("sequences", "--json").check(0).document["sequences"]
    assert (one["sequence"], one["steps"], one["active"], one["tags"]) == ("visit", 3, 2, ["demo"])
    assert "visit  Visit  [demo]  active, version 1, 3 steps" in visit("sequences").check(0).out
    assert visit("sequence", "tag", "visit", "+web", "-demo", "+a").check(0).out == "visit: web, a\n"
    assert "write +TAG" in visit("sequence", "tag", "visit", "web").check(2).complaint
    assert "unknown tag 'demo'" in visit("sequences", "--tag", "demo").check(2).complaint
    assert visit("sequences", "--tag", "web").check(0).out.startswith("visit  ")

    shown = visit("sequence", "show", "visit").check(0).out
    assert yaml.safe_load(shown)["steps"][0] == {"key": "hello", "type": "email", "subject": "Hi", "text": "Hello\n"}
    printed = visit("sequence", "duplicate", "visit", "call-in", "--name", "Call in", "--print").check(0).out
    visit.file("call-in.yaml", printed)
    published = visit("apply", "call-in.yaml").check(0).out
    assert published == "call-in: version 1 published; ends early on replied, unsubscribed, bounced\n"
    assert "already" in visit("sequence", "duplicate", "visit", "call-in").check(2).complaint
    assert visit("sequence", "duplicate", "visit", "third").check(0).out == "third: version 1 published\n"

    moved = visit("sequence", "reorder", "visit", "bye", "--before", "ring", "--json").check(0).document
    assert (moved["version"], moved["steps"]) == (2, ["hello", "bye", "ring"])
    assert "ring" in visit("sequence", "show", "visit", "--version", "1").check(0).out
    assert "no version 9" in visit("sequence", "show", "visit", "--version", "9").check(2).complaint


def test_enrollments_are_listed_page_by_page_by_their_names(visit: Cli) -> None:
    first = visit("enrollments", "visit", "--limit", "1", "--json").check(0).document
    (ada,) = first["enrollments"]
    assert ada["name"].startswith("Visit - Ada - 20")
    (bob,) = visit("enrollments", "--after", str(first["next_after"]), "--json").check(0).document["enrollments"]
    assert bob["name"].startswith("Visit - Bob - 20")
    told = visit("enrollments", "--status", "active").check(0).out
    assert told.splitlines()[0].startswith(f"{ada['enrollment_id']}  {ada['name']}  active  next: hello (pending, due ")
    assert visit("enrollments", "--status", "completed").check(0).out == "no enrollments\n"
    assert visit("stale", "--days", "1").check(0).out.startswith("no enrollment waits for a person")
    assert visit("stale", "visit", "--end", "--json").check(0).document == {"days": 30, "enrollments": [], "ended": []}


def test_a_sequence_is_archived_and_brought_back(visit: Cli) -> None:
    dry = visit("archive", "visit", "--dry-run", "--json").check(0).document
    assert (dry["dry_run"], dry["active"], dry["tasks"]) == (True, 2, 0)
    assert "add --yes" in visit("archive", "visit").check(2).complaint
    done = visit("archive", "visit", "--yes", "--reason", "over", "--by", "ann", "--json").check(0).document
    assert (done["changed"], done["enrollments"], done["finished"]) == (True, 2, True)
    refused = visit("publish", "visit", "--email", "eve@example.com").check(2).complaint
    assert "is archived" in refused
    assert "cadenza unarchive visit" in refused
    assert "cadenza unarchive visit" in visit("apply", "visit.yaml").check(2).complaint
    visit.file("more.csv", "email\neve@example.com\n")
    assert "cadenza unarchive visit" in visit("enroll", "visit", "more.csv").check(2).complaint
    assert "ended early (archived)" in visit("explain", "1").check(0).out
    assert visit("archive", "visit", "--yes").check(0).out.startswith("visit was already archived")
    assert visit("unarchive", "visit").check(0).out == "visit is active\n"
    assert visit("apply", "visit.yaml").check(0).out == "visit: version 1 is unchanged\n"
    visit("publish", "visit", "--email", "eve@example.com").check(0)


def test_a_warning_is_said_and_strict_makes_it_an_error(cli: Cli) -> None:
    cli.file(
        "greet.yaml", "sequence: greet\nsteps:\n  - {key: hi, type: sms, body: 'Hi [First Name], STOP to opt out'}\n"
    )
    says = (
        "step hi: 'body': '[First Name]' is a merge tag of another system, and goes out as it stands: write"
        " {{ contact.first_name }}, {{ custom.NAME }} or the like"
    )
    refused = cli("apply", "--strict", "greet.yaml").check(2)
    assert refused.out == ""
    assert refused.err == (
        f"greet.yaml:3: error: {says}\ncadenza: nothing was published: 1 warning, and --strict takes none\n"
    )
    published = cli("apply", "greet.yaml").check(0)
    assert published.out == "greet: version 1 published; ends early on replied, unsubscribed, bounced\n"
    assert published.err.splitlines()[0] == f"greet.yaml:3: warning: {says}"
    (warning,) = cli("apply", "greet.yaml", "--json").check(0).document["warnings"]
    assert (warning["file"], warning["line"], warning["step"]) == ("greet.yaml", 3, "hi")


def test_a_paused_sequence_says_so_where_it_is_listed(visit: Cli) -> None:
    visit("pause", "--sequence", "visit", "--by", "ann").check(0)
    (one,) = visit("sequences", "--json").check(0).document["sequences"]
    assert (one["active"], one["held_by"]) == (2, "ann")
    assert one["held_since"] is not None
    listed = visit("sequences").check(0).out
    assert "visit  Visit  [demo]  paused since 20" in listed
    assert "UTC by ann, version 1" in listed
    assert "2 active but held, 0 paused" in listed
    assert all("active, its sequence is paused" in line for line in visit("enrollments").check(0).out.splitlines())
    assert {one["held"] for one in visit("enrollments", "--json").check(0).document["enrollments"]} == {True}
    visit("resume", "--sequence", "visit").check(0)
    assert "paused since" not in visit("sequences").check(0).out
    assert "its sequence is paused" not in visit("enrollments").check(0).out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("tasks", "--sequence", "viist"), "unknown sequence 'viist' (did you mean 'visit'?)"),
        (("tasks", "--enrollment", "999"), "no enrollment 999 in this workspace"),
        (("tasks", "--enrollment", "99999999999999999999"), "no enrollment 99999999999999999999 in this workspace"),
        (("stale", "viist"), "unknown sequence 'viist'"),
        (("enrollments", "viist"), "unknown sequence 'viist'"),
        (("variants", "viist"), "unknown sequence 'viist'"),
        (("sequences", "--tag", "dmeo"), "unknown tag 'dmeo' (did you mean 'demo'?)"),
    ],
)
def test_a_filter_that_names_what_does_not_exist_is_an_error(visit: Cli, arguments: tuple[str, ...], says: str) -> None:
    refused = visit(*arguments).check(2)
    assert says in refused.complaint
    assert refused.out == ""


def test_a_list_of_somebody_without_tasks_names_them(visit: Cli) -> None:
    assert visit("tasks", "--assignee", "nina").check(0).out == "no active tasks of 'nina'\n"


def test_a_sequence_that_does_not_exist_is_warned_of(cli: Cli) -> None:
    one = "sequence: one\nsteps:\n  - {key: go, type: action, enroll_in: two}\n"
    cli.file("one.yaml", one)
    cli.file("two.yaml", one.replace("one", "2").replace("two", "one").replace("2", "two"))
    says = "step go: 'enroll_in': there is no sequence 'two'"
    refused = cli("apply", "--strict", "one.yaml").check(2)
    assert refused.err.startswith(f"one.yaml:3: error: {says}")
    assert cli("sequences").check(0).out == "no sequences\n"
    assert cli("apply", "--strict", "one.yaml", "two.yaml").check(0).err == ""
    assert cli("apply", "--strict", "one.yaml").check(0).err == ""


def test_an_explanation_fits_and_shows_one_kind_of_time_in_each_column(visit: Cli) -> None:
    told = visit("explain", "1").check(0).out.splitlines()
    assert "  times are sequence time in UTC" in told
    assert not any("(20" in line for line in told), "a contact in UTC has no second time"
    visit("contact", "set", "1", "--timezone", "America/Argentina/Buenos_Aires").check(0)
    told = visit("explain", "1").check(0).out.splitlines()
    assert "  times are sequence time in UTC, due times also in America/Argentina/Buenos_Aires" in told
    due = [line for line in told if line.startswith("   due 20")]
    assert due
    assert all(" -03)" in line for line in due)
    assert max(map(len, told)) <= 100
