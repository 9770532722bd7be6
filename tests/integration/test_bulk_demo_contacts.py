"""The contacts of the demo: as real as lists are, and nobody real in them."""

import re
from collections import Counter
from functools import cache
from pathlib import Path

from world import World

from deploy.demo.make_contacts import CONTRADICTIONS, LATIN1, RECORDS, REPEATS, TARGET, contents
from engine.wakeups import Wakeups
from producers.bulk.reading import open_records
from producers.bulk.records import Record
from producers.bulk.run import run_bulk
from producers.bulk.source import open_source
from producers.people import Person, PersonRejected, person

#: E.164 ranges that are kept for fiction: NANPA, Ofcom, Bundesnetzagentur, ARCEP, PTS, ACMA.
FICTIONAL = re.compile(
    r"\+1[2-9]\d\d55501\d\d|\+4420794600?\d{3}|\+49(3023125|4066969|2214710|8999998|6990009)\d{3}"
    r"|\+33(19900|26191|35301|46571)\d{4}|\+468465004\d\d|\+61[2378]5550\d{4}"
)


@cache
def enrolled(*needs: str) -> tuple[list[Person], list[str], int]:
    """Who passes, why others don't, and how many lines are latin-1."""
    people, reasons = [], []
    with open_source(str(TARGET)) as source:
        records = open_records(source)
        for record in records:
            assert isinstance(record, Record)
            try:
                people.append(person(record.fields, region="US", needs=frozenset(needs))[0])
            except PersonRejected as rejected:
                reasons.append(rejected.reason)
        return people, reasons, records.latin1_lines


def test_the_file_is_what_the_generator_makes() -> None:
    assert TARGET.read_bytes() == contents()


def test_the_dirt_is_as_promised() -> None:
    people, reasons, latin1 = enrolled("email", "phone")
    assert len(people) + len(reasons) == RECORDS
    assert len(reasons) == 40
    assert latin1 == LATIN1
    assert Counter(reason.split()[0] for reason in reasons) == {"email": 20, "phone": 20}
    assert len(enrolled("phone")[1]) == 20
    assert any("\n" in str(someone.attributes.get("notes")) for someone in people)
    assert sum(not f"{someone.first_name}{someone.last_name}".isascii() for someone in people) > 200


def test_nobody_shares_a_key_by_accident() -> None:
    people, _, _ = enrolled("email", "phone")
    assert len({someone.email_key for someone in people}) == len(people) - REPEATS - CONTRADICTIONS
    assert len({someone.phone for someone in people}) == len(people) - REPEATS
    assert len({(someone.email_key, someone.phone) for someone in people}) == len(people) - REPEATS
    owners = {someone.external_id: someone.email_key for someone in people if someone.external_id}
    assert len(set(owners.values())) == len(owners)


def test_nobody_is_real() -> None:
    people, _, _ = enrolled("phone")
    for someone in people:
        assert someone.phone is not None
        assert FICTIONAL.fullmatch(someone.phone), someone.phone
        assert someone.email is None or someone.email.rpartition("@")[2] in (
            "example.com",
            "example.org",
            "example.net",
        )


def test_one_of_each_kind_of_dirt_is_in_it(world: World, redis_url: str, tmp_path: Path) -> None:
    world.publish("""
sequence: renew
steps:
  - {key: mail, type: email, before: {attribute: renews_on, by: 3 days}, at: "09:00", subject: Hi, text: Hi}
  - {key: text, type: sms, delay: 1 day, body: Hi}
""")
    wakeups = Wakeups(redis_url)
    done = run_bulk(
        world.database, wakeups, "default", "renew", str(TARGET), rejects_path=str(tmp_path / "rejects.csv")
    )
    wakeups.close()
    assert (done.enrolled, done.repeats, done.rejected) == (935, REPEATS, 40 + CONTRADICTIONS)
    assert (done.short_lines, done.latin1_lines) == (2, LATIN1)
    assert done.warnings == {"timezone": 1}
    (unread,) = done.unread_dates.values()
    assert unread.count == 3
    reasons = (tmp_path / "rejects.csv").read_text()
    for reason in (
        "is also on line 2, with another phone", "is missing", "has no known country code", "decimals", "extension",
        "must have an @-sign", "1.20256E+10", "+49",
    ):  # fmt: skip
        assert reason in reasons, reason
    zones = dict(world.query("SELECT timezone, count(*)::int FROM contacts WHERE timezone IS NOT NULL GROUP BY 1"))
    assert {"America/Los_Angeles", "Europe/Berlin", "America/New_York", "Etc/GMT+8"} <= zones.keys()
    assert world.query("SELECT count(*) FROM contacts WHERE starts_with(email, '''')") == [(0,)]
