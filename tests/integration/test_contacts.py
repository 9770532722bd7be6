"""Who a contact is: found or made by its keys, refreshed, or refused when its keys contradict each other."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from engine.database import Database
from producers.contacts import find_or_make_contacts
from producers.people import Person, person


def who(**fields: str) -> Person:
    """A checked person."""
    return person(fields, region="US", needs=frozenset())[0]


def resolve(database: Database, *people: Person) -> list[int | str]:
    """Find or make them in a transaction."""
    with database.transaction() as session:
        return find_or_make_contacts(session, 1, people).of_people


def stored(database: Database, columns: str = "id") -> list[Any]:
    """All contacts in order."""
    with database.transaction() as session:
        return session.execute(f"SELECT {columns} FROM contacts ORDER BY id".encode()).fetchall()


def test_the_same_person_is_one_contact_by_any_key(database: Database) -> None:
    first = resolve(database, who(external_id="a1", email="Ann@Example.COM", phone="202 555 0101"))
    for again in ({"external_id": "a1"}, {"email": "ann@example.com"}, {"phone": "+1 (202) 555-0101"}):
        assert resolve(database, who(**again)) == first
    assert stored(database, "external_id, lower(email), phone") == [("a1", "ann@example.com", "+12025550101")]


def test_repeats_within_a_chunk_are_one_contact_and_the_newer_value_counts(database: Database) -> None:
    ids = resolve(
        database,
        who(email="ann@example.com", first_name="An", city="Rome"),
        who(email="ANN@example.com", first_name="Ann", plan="pro"),
    )
    assert ids[0] == ids[1]
    assert stored(database, "first_name, attributes") == [("Ann", {"city": "Rome", "plan": "pro"})]


def test_a_known_contact_takes_what_is_newer_and_not_empty(database: Database) -> None:
    resolve(database, who(email="ann@example.com", first_name="Ann", phone="2025550101", city="Rome"))
    resolve(database, who(email="ann@example.com", last_name="Lee", first_name="", city="Oslo"))
    assert stored(database, "first_name, last_name, phone, attributes") == [
        ("Ann", "Lee", "+12025550101", {"city": "Oslo"})
    ]


def test_an_external_id_may_get_another_email(database: Database) -> None:
    first = resolve(database, who(external_id="a1", email="old@example.com"))
    assert resolve(database, who(external_id="a1", email="new@example.com")) == first
    assert resolve(database, who(email="new@example.com")) == first
    assert stored(database, "email") == [("new@example.com",)]


def test_a_contact_without_an_external_id_adopts_one(database: Database) -> None:
    first = resolve(database, who(email="ann@example.com"))
    assert resolve(database, who(external_id="a1", email="ann@example.com")) == first
    assert stored(database, "external_id") == [("a1",)]


def test_keys_of_two_contacts_are_refused_and_named(database: Database) -> None:
    ann, bob = resolve(database, who(external_id="a1", email="ann@example.com"), who(email="bob@example.com"))
    (reason,) = resolve(database, who(external_id="a1", email="bob@example.com"))
    assert isinstance(reason, str)
    assert f"contact {ann}" in reason and f"contact {bob}" in reason


def test_a_phone_of_someone_with_another_email_is_refused(database: Database) -> None:
    resolve(database, who(email="ann@example.com", phone="2025550101"))
    (reason,) = resolve(database, who(email="bob@example.com", phone="2025550101"))
    assert isinstance(reason, str) and "ann@example.com" in reason


def test_an_email_of_another_external_id_is_refused(database: Database) -> None:
    resolve(database, who(external_id="a1", email="ann@example.com"))
    (reason,) = resolve(database, who(external_id="b2", email="ann@example.com"))
    assert isinstance(reason, str) and "'a1'" in reason


def test_what_is_refused_changes_nothing(database: Database) -> None:
    resolve(database, who(email="ann@example.com", phone="2025550101", first_name="Ann"))
    before = stored(database, "*")
    resolve(database, who(email="bob@example.com", phone="2025550101", first_name="Bob"))
    assert stored(database, "*") == before


def test_workspaces_do_not_mix(database: Database) -> None:
    with database.transaction() as session:
        row = session.execute("INSERT INTO workspaces (key, name) VALUES ('b', 'B') RETURNING id").fetchone()
        assert row is not None
        other = find_or_make_contacts(session, row[0], [who(email="ann@example.com")]).of_people
        mine = find_or_make_contacts(session, 1, [who(email="ann@example.com")]).of_people
    assert other != mine


def test_many_at_once_make_one_contact(database: Database) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: resolve(database, who(email="ann@example.com")), range(24)))
    assert len({contact for (contact,) in found}) == 1
    assert len(stored(database)) == 1
