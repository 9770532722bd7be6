"""Makes deploy/examples/contacts.csv: 1,000 contacts with the dirt of real lists; the same at every run.

Nobody real is in it. Addresses are in the reserved domains (RFC 2606); phone numbers in the ranges that are kept
for fiction: 555-0100 to 555-0199 (NANPA), 020 7946 0xxx (Ofcom), 030 23125 xxx and others (Bundesnetzagentur),
01 99 00 xx xx (ARCEP), 070-174 06 xx (PTS), xx 5550 xxxx (ACMA).
"""

import csv
import io
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Final, TypeVar

from deploy.demo.names import COMPANIES, NOTES, POPULATIONS, ROMANIZED

T = TypeVar("T")

SEED: Final = 20_25
RECORDS: Final = 1_000
HEADER: Final = (
    "external_id", "email", "phone", "first_name", "last_name", "timezone", "renews_on", "company", "city", "notes",
)  # fmt: skip

REPEATS: Final = 24
CONTRADICTIONS: Final = 1
LATIN1: Final = 6

TARGET: Final = Path(__file__).parents[1] / "examples" / "contacts.csv"


@dataclass(frozen=True, slots=True)
class Contact:
    """A line of the list."""

    external_id: str
    email: str
    phone: str
    first_name: str
    last_name: str
    timezone: str
    company: str
    city: str
    notes: str
    rewritten: str = ""
    """The phone number in another notation."""
    renews_on: str = ""
    cells: int = len(HEADER)
    """How many cells are written. Spreadsheets leave out the last cells of a line if they are empty."""

    def row(self) -> list[str]:
        """The values in the order of the header."""
        return [getattr(self, column) for column in HEADER][: self.cells]


class Picker:
    """Picks at random, by nothing but `Random.random`, which every version of Python keeps."""

    def __init__(self, seed: int) -> None:
        """Begin the series of the seed."""
        self._random = Random(seed)  # noqa: S311 (nothing is secret here)

    def number(self, below: int) -> int:
        """A number from 0 on."""
        return int(self._random.random() * below)

    def one(self, of: Sequence[T]) -> T:
        """One of these."""
        return of[self.number(len(of))]

    def chance(self, share: float) -> bool:
        """True so often."""
        return self._random.random() < share

    def shuffled(self, of: Sequence[T]) -> list[T]:
        """All of these in another order."""
        return sorted(of, key=lambda _: self._random.random())


def contents() -> bytes:
    """The file: UTF-8 with a byte-order mark and CRLF, as Excel writes it, and some lines in latin-1."""
    pick = Picker(SEED)
    spoilt = [spoil for spoil, count in SPOILT for _ in range(count)]
    clean = list(_people(pick, RECORDS - REPEATS - CONTRADICTIONS))
    spoiling = dict(zip(pick.shuffled(range(40, len(clean)))[: len(spoilt)], spoilt, strict=True))
    contacts = [spoiling[index](contact) if index in spoiling else contact for index, contact in enumerate(clean)]
    repeated = pick.shuffled([index for index in range(len(clean)) if index not in spoiling])[:REPEATS]
    for turn, index in enumerate(sorted(repeated, reverse=True)):
        place = index + 1 + pick.number(len(contacts) - index)
        contacts.insert(place, REPEATED[turn % len(REPEATED)](clean[index]))
    spared = [index for index in range(len(clean)) if index not in spoiling and index not in repeated]
    other, same = clean[spared[-1]], clean[spared[0]]
    contacts.append(replace(same, external_id="", first_name=other.first_name, phone="+1 202 555 0199"))
    western = [index for index, contact in enumerate(contacts) if _is_latin1(contact) and "\n" not in contact.notes]
    latin1 = set(pick.shuffled(western)[:LATIN1])
    lines = [b"\xef\xbb\xbf", _line(HEADER).encode()]
    lines += [
        _line(contact.row()).encode("latin-1" if index in latin1 else "utf-8") for index, contact in enumerate(contacts)
    ]
    return b"".join(lines)


def _people(pick: Picker, count: int) -> Iterator[Contact]:
    numbers: dict[str, list[str]] = {}
    addresses: set[str] = set()
    hundred = [population for population in POPULATIONS for _ in range(population.share)]
    for number in range(1, count + 1):
        population = pick.one(hundred)
        first, last = pick.one(population.first_names), pick.one(population.last_names)
        place = pick.one(population.places)
        if place.phone not in numbers:
            numbers[place.phone] = pick.shuffled(list(_numbers(place.phone)))
        phone, rewritten = pick.shuffled(_notations(numbers[place.phone].pop()))[:2]
        yield Contact(
            external_id=f"C-{1000 + number}",
            email=_address(pick, first, last, addresses),
            phone=phone,
            first_name=first,
            last_name=last,
            timezone=place.timezone if pick.chance(0.8) else "",
            company=pick.one(COMPANIES) if pick.chance(0.85) else "",
            city=place.city,
            notes=pick.one(NOTES) if pick.chance(0.3) else "",
            rewritten=rewritten,
            renews_on=f"2027-{1 + number % 12:02}-{1 + number % 28:02}" if number % 5 == 0 else "",
        )


def _numbers(pattern: str) -> Iterator[str]:
    """All numbers of a pattern: each # stands for any digit."""
    places = pattern.count("#")
    for number in range(10**places):
        digits = iter(f"{number:0{places}}")
        yield "".join(next(digits) if character == "#" else character for character in pattern)


def _notations(number: str) -> list[str]:
    """How people write a number, read from the United States."""
    groups = number.removeprefix("+").split()
    if groups[0] != "1":
        rest = " ".join(groups[1:])
        return [number, number.replace(" ", ""), f"+{groups[0]} (0){rest}", "-".join([f"+{groups[0]}", *groups[1:]]),
            f"011 {groups[0]} {rest}"]  # fmt: skip
    _, area, exchange, line = groups
    return [
        f"({area}) {exchange}-{line}", f"{area}-{exchange}-{line}", f"{area}.{exchange}.{line}",
        f"{area}{exchange}{line}", f"+1 {area} {exchange} {line}", f"+1{area}{exchange}{line}",
        f"1-{area}-{exchange}-{line}",
    ]  # fmt: skip


def _address(pick: Picker, first_name: str, last_name: str, taken: set[str]) -> str:
    first, last = _ascii(ROMANIZED.get(first_name, first_name)), _ascii(ROMANIZED.get(last_name, last_name))
    local = pick.one([f"{first}.{last}", f"{first[0]}{last}", f"{first}_{last}", f"{first}", f"{last}.{first}"])
    domain = pick.one(["example.com", "example.com", "example.org", "example.net"])
    number = 1
    address = f"{local}@{domain}"
    while address in taken:
        number += 1
        address = f"{local}{number}@{domain}"
    taken.add(address)
    return address


def _ascii(name: str) -> str:
    plain = name.translate(str.maketrans("łŁøØđĐßıÞþÆ", "lLoOdDsiTtA"))
    decomposed = unicodedata.normalize("NFKD", plain)
    return "".join(character for character in decomposed if character.isascii() and character.isalnum()).lower()


def _digits(contact: Contact) -> str:
    """The digits of a phone number, with its plus sign where it has one: what a spreadsheet makes a number of."""
    plus = "+" if contact.phone.startswith("+") else ""
    return plus + "".join(character for character in contact.phone if character.isdigit())


def _is_latin1(contact: Contact) -> bool:
    text = _line(contact.row())
    try:
        return not text.isascii() and bool(text.encode("latin-1"))
    except UnicodeEncodeError:
        return False


def _line(values: Sequence[str]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerow(values)
    return text.getvalue()


#: Ways to spoil a contact, and how often each is done: with a sequence that needs both, 40 lines are rejected.
SPOILT: Final[Sequence[tuple[Callable[[Contact], Contact], int]]] = (
    (lambda contact: replace(contact, phone=""), 6),
    (lambda contact: replace(contact, phone=f"{_digits(contact)}.50"), 1),
    (lambda contact: replace(contact, phone="493023125100"), 1),
    (lambda contact: replace(contact, phone="n/a"), 2),
    (lambda contact: replace(contact, phone="unknown"), 1),
    (lambda contact: replace(contact, phone=contact.phone[:-3]), 3),
    (lambda contact: replace(contact, phone=f"{contact.phone}999"), 2),
    (lambda contact: replace(contact, phone=f"{contact.phone} ext. 12"), 2),
    (lambda contact: replace(contact, phone="1.20256E+10"), 1),
    (lambda contact: replace(contact, phone="+999 555 0142"), 1),
    (lambda contact: replace(contact, email=""), 8),
    (lambda contact: replace(contact, email=contact.email.replace("@", " at ")), 3),
    (lambda contact: replace(contact, email=contact.email.partition(".")[0]), 2),
    (lambda contact: replace(contact, email=contact.email.replace("@", "@@")), 2),
    (lambda contact: replace(contact, email=contact.email.replace(".", ",")), 2),
    (lambda contact: replace(contact, email=f"{contact.first_name} <{contact.email}>"), 1),
    (lambda contact: replace(contact, email="jörg.müller@example.com"), 1),
    (lambda contact: replace(contact, email=f"{contact.email}."), 1),
    # these are none the worse for it
    (lambda contact: replace(contact, timezone="Pacific Standard Time"), 3),
    (lambda contact: replace(contact, timezone="Pacific Time (US & Canada)"), 1),
    (lambda contact: replace(contact, timezone="W. Europe Standard Time"), 1),
    (lambda contact: replace(contact, timezone="america/new_york"), 1),
    (lambda contact: replace(contact, timezone="UTC-8"), 1),
    (lambda contact: replace(contact, timezone="somewhere"), 1),
    (lambda contact: replace(contact, email=f"'{contact.email}"), 1),
    (lambda contact: replace(contact, phone=f"{_digits(contact)}.00"), 1),
    (lambda contact: replace(contact, company="", city="", notes="", cells=7), 2),
    (lambda contact: replace(contact, renews_on="02/28/2027"), 1),
    (lambda contact: replace(contact, renews_on="28.02.2027"), 1),
    (lambda contact: replace(contact, renews_on="03/04/2027"), 1),
    (lambda contact: replace(contact, renews_on="46446"), 1),
    (lambda contact: replace(contact, renews_on="soon"), 1),
    (lambda contact: replace(contact, external_id=""), 12),
    (lambda contact: replace(contact, email=f"  {contact.email} ", phone=f" {contact.phone}"), 10),
    (lambda contact: replace(contact, first_name=contact.first_name.upper()), 6),
    (lambda contact: replace(contact, phone=f"\u202a{contact.phone}\u202c"), 2),
)

#: Ways in which the same contact comes twice.
REPEATED: Final[Sequence[Callable[[Contact], Contact]]] = (
    lambda contact: contact,
    lambda contact: replace(contact, external_id="", email=contact.email.upper()),
    lambda contact: replace(contact, external_id="", phone=contact.rewritten),
    lambda contact: replace(contact, email=contact.email.title(), phone=contact.rewritten),
)


if __name__ == "__main__":
    TARGET.write_bytes(contents())
