"""What happens between the file and the database."""

import io
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.rules.dates import ContactDates
from producers.bulk.ahead import ahead
from producers.bulk.chunks import MAX_BYTES, Chunk, chunks_of
from producers.bulk.reading import open_records
from producers.bulk.seen import Seen
from producers.bulk.source import open_source
from schema.definition import parse

NO_DATES = ContactDates(parse("sequence: a\nsteps: [{key: a, type: email, subject: a, text: b}]"))


def chunks(data: bytes, *, skip: int = 0, size: int = 2) -> list[Chunk]:
    with open_source("-", stdin=io.BytesIO(data)) as source:
        records = open_records(source, format="csv")
        return list(chunks_of(records, skip=skip, size=size, region="US", needs=frozenset({"email"}), dates=NO_DATES))


def test_records_come_in_chunks_in_the_order_of_the_file() -> None:
    data = b'email,phone,notes\na@x.com,1,x\nnone,1,y\n"c@x.com",,"long\nnote"\nd@x.com,,,more\ne@x.com,,z\n'
    first, second, third = chunks(data)
    assert [person.email for chunk in (first, second, third) for person in chunk.people] == [
        "a@x.com", "c@x.com", "e@x.com",
    ]  # fmt: skip
    assert [(reject.line, reject.raw) for reject in first.rejects] == [(3, ["none", "1", "y"])]
    assert [reject.line for reject in second.rejects] == [6]
    assert first.warnings == {"phone": 1}
    assert [chunk.size for chunk in (first, second, third)] == [2, 2, 1]


def test_skipping_goes_on_where_another_run_ended() -> None:
    data = b"email\n" + b"".join(b"p%d@x.com\n" % number for number in range(7))
    for skip in range(9):
        emails = [person.email for chunk in chunks(data, skip=skip) for person in chunk.people]
        assert emails == [f"p{number}@x.com" for number in range(skip, 7)]


def test_conflicts_take_their_place_among_the_rejects() -> None:
    [chunk] = chunks(b"email\na@x.com\nnone\nb@x.com\nnone\n", size=9)
    assert [reject.line for reject in chunk.all_rejects([(1, "why")])] == [3, 4, 5]
    assert [reject.reason for reject in chunk.all_rejects([(0, "first"), (1, "why")])][:3:2] == ["first", "why"]
    assert chunk.all_rejects([]) == chunk.rejects


def test_chunks_end_early_when_records_are_large() -> None:
    line = b"p@x.com," + b"x" * 60_000 + b"\n"
    count = 3 * MAX_BYTES // len(line)
    sizes = [chunk.size for chunk in chunks(b"email,notes\n" + line * count, size=5_000)]
    assert sum(sizes) == count
    assert len(sizes) == 3
    assert max(sizes) < MAX_BYTES // len(line) + 20


def test_what_postgres_can_not_keep_is_replaced_in_rejects() -> None:
    data = "email,notes\nnone,a\0b\n".encode("utf-16")
    [chunk] = chunks(data)
    assert chunk.rejects[0].raw == ["none", "a\ufffdb"]


def test_working_ahead_keeps_the_order_and_its_distance() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for number in range(50):
            made.append(number)
            yield number

    with ahead(items(), depth=2) as numbers:
        for number in numbers:
            assert len(made) <= number + 5
    assert made == list(range(50))


def test_an_error_ahead_is_raised_here() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), ahead(items(), depth=2) as numbers:
        assert list(numbers) == [1]


def test_leaving_early_ends_the_thread() -> None:
    def items() -> Iterator[int]:
        number = 0
        while True:
            yield number
            number += 1

    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt), ahead(items(), depth=2) as numbers:
        assert next(numbers) == 0
        raise KeyboardInterrupt
    assert threading.active_count() == before


@given(st.lists(st.integers()))
def test_seen_is_a_set_of_64_bits(numbers: list[int]) -> None:
    seen, known = Seen(), set()
    for number in numbers:
        bits = number & (2**64 - 1) or 1
        assert (number in seen) == (bits in known)
        seen.add(number)
        known.add(bits)
        assert number in seen
    assert len(seen) == len(known)


def test_seen_grows() -> None:
    seen = Seen()
    for number in range(200_000):
        seen.add(hash(("key", number)))
    assert len(seen) == 200_000
    assert all(hash(("key", number)) in seen for number in range(0, 200_000, 97))
    assert hash(("key", -1)) not in seen
