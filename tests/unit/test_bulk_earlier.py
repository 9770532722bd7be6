"""A line of a file that contradicts an earlier one is rejected, and names that line."""

import io
import json
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.rules.dates import ContactDates
from producers.bulk.chunks import Chunk, chunks_of
from producers.bulk.earlier import EarlierLines
from producers.bulk.reading import open_records
from producers.bulk.source import open_source
from producers.people import Person
from schema.definition import parse

NO_DATES = ContactDates(parse("sequence: a\nsteps: [{key: a, type: email, subject: a, text: b}]"))

FIELDS = ("external_id", "email_key", "phone", "first_name", "last_name")


def rejected(lines: str, *, size: int = 100, skip: int = 0, form: str = "csv") -> dict[int, str]:
    with open_source("-", stdin=io.BytesIO(lines.encode())) as source:
        records = open_records(source, format=form)
        chunks = list(chunks_of(records, skip=skip, size=size, region="US", needs=frozenset(), dates=NO_DATES))
    return {reject.line: reject.reason for chunk in chunks for reject in chunk.rejects}


def person(*values: str | None) -> Person:
    external_id, email, phone, first_name, last_name = values
    return Person(external_id, email, email, phone, first_name, last_name, None, {})


@pytest.mark.parametrize(
    ("earlier", "later", "reason"),
    [
        (
            ",ada@x.com,+12025550101,Ada,",
            ",ADA@x.com,+12025550102,Bob,",
            "email 'ADA@x.com' is also on line 2, with another phone than '+12025550102'",
        ),
        (
            "c1,ada@x.com,,,",
            "c1,bob@x.com,,,",
            "external_id 'c1' is also on line 2, with another email than 'bob@x.com'",
        ),
        (
            "c1,ada@x.com,,,",
            "c2,ada@x.com,,,",
            "email 'ada@x.com' is also on line 2, with another external_id than 'c2'",
        ),
        (
            ",a@x.com,+12025550101,,",
            ",b@x.com,+12025550101,,",
            "phone '+12025550101' is also on line 2, with another email than 'b@x.com'",
        ),
        ("c1,,,Ada,", "c1,,,Bob,", "external_id 'c1' is also on line 2, with another first_name than 'Bob'"),
        (
            ",a@x.com,,Ada,King",
            ",a@x.com,,,Byron",
            "email 'a@x.com' is also on line 2, with another last_name than 'Byron'",
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("size", [1, 100])
def test_a_line_that_contradicts_an_earlier_one_is_rejected(earlier: str, later: str, reason: str, size: int) -> None:
    lines = f"external_id,email,phone,first_name,last_name\n{earlier}\nother,,,,\n{later}\n"
    assert rejected(lines, size=size) == {4: f"{reason}: correct or remove one of the lines"}


@pytest.mark.parametrize(
    "later",
    [
        ",ada@x.com,+12025550101,Ada,Lovelace,pro",
        ",ADA@X.com,(202) 555-0101,,,",
        ",ada@x.com,,ADA, lovelace ,free",
        "c1,ada@x.com,,,,free",
        ",,+12025550101,A\uff44a,,",
    ],
)
def test_a_line_that_repeats_an_earlier_one_or_adds_to_it_is_taken(later: str) -> None:
    head = "external_id,email,phone,first_name,last_name,plan\n"
    assert rejected(f"{head},ada@x.com,+12025550101,Ada,Lovelace,pro\n{later}\n") == {}


def test_what_several_lines_say_of_one_person_counts_together() -> None:
    lines = "external_id,email,phone,first_name\n,a@x.com,,\n,a@x.com,+12025550101,\n,a@x.com,+12025550102,\n"
    reason = rejected(lines)[4]
    assert reason.startswith("email 'a@x.com' is also on line 2, and line 3 gives that contact another phone than")


def test_a_line_with_the_keys_of_two_people_names_both_lines() -> None:
    lines = "email,phone\na@x.com,\n,+12025550101\na@x.com,+12025550101\n"
    assert rejected(lines, size=1) == {
        4: "email 'a@x.com' is on line 2, but phone '+12025550101' is on line 3, which is another contact:"
        " correct or remove one of the lines"
    }


def test_a_rejected_line_contradicts_nobody() -> None:
    lines = "email,phone\na@x.com,+12025550101\na@x.com,+12025550102\nb@x.com,+12025550102\n"
    assert list(rejected(lines)) == [3]


def test_a_resumed_file_is_compared_with_the_lines_before() -> None:
    lines = "email,first_name\na@x.com,Ada\nb@x.com,Bob\na@x.com,Bob\n"
    assert list(rejected(lines, skip=2)) == [4]


def test_ndjson_is_read_alike() -> None:
    people = [{"email": "a@x.com", "first_name": "Ada"}, {"email": "a@x.com", "first_name": "Bob"}]
    reasons = rejected("\n".join(map(json.dumps, people)), form="ndjson")
    assert reasons == {
        2: "email 'a@x.com' is also on line 1, with another first_name than 'Bob': correct or remove one of the lines"
    }


@dataclass
class Known:
    """A person of the model: every value that the lines gave."""

    values: dict[str, str] = field(default_factory=dict)


values = st.tuples(*[st.sampled_from([None, f"{name}1", f"{name}2", f"{name}3"]) for name in FIELDS]).filter(
    lambda one: any(one[:3])
)


@given(st.lists(values, max_size=30))
def test_any_file_is_judged_as_by_a_plain_comparison(lines: list[tuple[str | None, ...]]) -> None:
    earlier, people = EarlierLines(), list[Known]()
    for number, line in enumerate(lines, start=2):
        given_values = {name: value for name, value in zip(FIELDS, line, strict=True) if value is not None}
        met = [one for one in people if any(one.values.get(key) == given_values.get(key, 0) for key in FIELDS[:3])]
        clash = len(met) > 1 or any(
            one.values.get(name, value) != value for one in met for name, value in given_values.items()
        )
        reason = earlier.contradiction(person(*line), number)
        assert (reason is not None) == clash, reason
        if not clash:
            one = met[0] if met else Known()
            one.values = {**given_values, **one.values}
            if not met:
                people.append(one)


def test_many_people_are_kept_apart_in_little_memory() -> None:
    earlier = EarlierLines()
    for number in range(50_000):
        assert earlier.contradiction(person(f"c{number}", f"{number}@x.com", None, "Ada", None), number) is None
    for number in range(0, 50_000, 97):
        assert earlier.contradiction(person(f"c{number}", None, None, "Bob", None), 50_001) is not None
    held = sum(part.itemsize * len(part) for part in (earlier._digests, earlier._lines, earlier._slots))
    assert held <= 50_000 * (60 + 2 * 32)


def test_chunks_keep_the_people_who_contradict_nobody() -> None:
    with open_source("-", stdin=io.BytesIO(b"email,first_name\na@x.com,Ada\na@x.com,Bob\nb@x.com,Bob\n")) as source:
        chunks: list[Chunk] = list(
            chunks_of(
                open_records(source, format="csv"), skip=0, size=9, region="US", needs=frozenset(), dates=NO_DATES
            )
        )
    assert [one.email for one in chunks[0].people] == ["a@x.com", "b@x.com"]
    assert chunks[0].size == 3
