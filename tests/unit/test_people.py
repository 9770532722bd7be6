"""What becomes a contact, and what is refused."""

from collections.abc import Mapping

import pytest

from producers.people import COLUMNS, Person, PersonRejected, person

NOTHING: frozenset[str] = frozenset()
BOTH = frozenset({"email", "phone"})


def made(needs: frozenset[str] = NOTHING, region: str = "US", **fields: object) -> Person:
    somebody, warnings = person(fields, region=region, needs=needs)
    assert warnings == []
    return somebody


def refusal(needs: frozenset[str] = NOTHING, **fields: object) -> str:
    return refusal_of(fields, needs)


def refusal_of(fields: Mapping[str, object], needs: frozenset[str] = NOTHING) -> str:
    with pytest.raises(PersonRejected) as refused:
        person(fields, region="US", needs=needs)
    assert "\n" not in refused.value.reason
    return refused.value.reason


def test_a_person_is_normalised() -> None:
    somebody, warnings = person(
        {
            "external_id": " c-1 ",
            "email": " Ann.Lee@Example.COM ",
            "phone": "(202) 555-0123",
            "first_name": "Ann",
            "last_name": "Lee",
            "timezone": "europe/berlin",
            "company": " Acme ",
            "custom.plan": "pro",
            "empty": "  ",
        },
        region="US",
        needs=BOTH,
    )
    assert warnings == []
    assert somebody == Person(
        external_id="c-1",
        email="Ann.Lee@example.com",
        email_key="ann.lee@example.com",
        phone="+12025550123",
        first_name="Ann",
        last_name="Lee",
        timezone="Europe/Berlin",
        attributes={"company": "Acme", "plan": "pro"},
    )


def test_empty_and_missing_are_the_same() -> None:
    assert made(email="a@example.com", first_name="", last_name=None, plan=" ") == made(email="a@example.com")


def test_the_region_reads_national_numbers() -> None:
    assert made(phone="020 7946 0123", region="GB").phone == "+442079460123"
    assert made(phone="+44 20 7946 0123", region="US").phone == "+442079460123"
    assert made(phone="1-202-555-0123").phone == "+12025550123"
    assert made(phone="12025550123.0").phone == "+12025550123"
    assert made(phone=12025550123).phone == "+12025550123"


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("555-0123", "not valid in region US"),
        ("+1 202 555 01234", "not valid"),
        ("202-555-0123 ext. 42", "extension"),
        ("call me", "not a phone number"),
        ("+999 123456789", "country code"),
        ("1.20256E+10", "rounded by a spreadsheet"),
        ("1" * 300, "too long"),
    ],
)
def test_an_invalid_phone_says_what_is_wrong(value: str, why: str) -> None:
    reason = refusal(needs=frozenset({"phone"}), phone=value)
    assert reason.startswith("phone '")
    assert why in reason


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("ann", "@-sign"),
        ("ann@", "after the @-sign"),
        ("ann@example", "period"),
        ("ann@exa mple.com", "invalid characters"),
        ("ann..lee@example.com", "two periods"),
        ("ann@example.com, bob@example.com", "not valid"),
        ("Ann <ann@example.com>", "display name"),
        ("jörg@example.com", "internationalized characters before the @-sign are not supported"),
        ("ann@" + "a" * 250 + ".com", "too long"),
    ],
)
def test_an_invalid_email_says_what_is_wrong(value: str, why: str) -> None:
    reason = refusal(needs=frozenset({"email"}), email=value)
    assert reason.startswith("email '")
    assert why in reason


def test_an_international_domain_becomes_ascii() -> None:
    assert made(email="ann@Bücher.example").email == "ann@xn--bcher-kva.example"


def test_a_missing_value_that_is_needed_is_named() -> None:
    assert refusal(needs=BOTH, email="a@example.com") == (
        "phone is missing: the sequence sends SMS, so every contact needs one"
    )
    assert refusal(needs=BOTH, phone="+12025550123").startswith("email is missing")


def test_an_invalid_value_that_is_not_needed_is_left_out_and_told() -> None:
    somebody, warnings = person(
        {"email": "a@example.com", "phone": "123", "timezone": "Mars/Olympus"}, region="US", needs=frozenset({"email"})
    )
    assert (somebody.phone, somebody.timezone) == (None, None)
    assert [warning.split()[0] for warning in warnings] == ["phone", "timezone"]
    assert all(warning.endswith("left out") for warning in warnings)


def test_somebody_without_any_key_is_refused() -> None:
    assert refusal(first_name="Ann") == "no external_id, email or phone: give at least one of them"
    assert "email 'ann' is not valid" in refusal(email="ann")


def test_names_are_one_line_without_control_characters() -> None:
    somebody = made(email="a@example.com", first_name="Ann\r\nMarie", last_name="O\x07Neil\u2028Jr")
    assert (somebody.first_name, somebody.last_name) == ("Ann Marie", "ONeil Jr")
    assert made(email="a@example.com", first_name="\x01").first_name is None


def test_names_keep_their_letters() -> None:
    assert made(email="a@example.com", first_name="Nguyễn Thị", last_name="de l'Épée-Łuczak").last_name == (
        "de l'Épée-Łuczak"
    )


def test_what_surrounds_a_value_unseen_is_taken_away() -> None:
    assert made(email="\ufeffa@example.com\u200b", phone="\u202a+1 202-555-0123\u202c").phone == "+12025550123"


def test_attributes_keep_line_breaks_and_json_values() -> None:
    somebody = made(email="a@example.com", notes="one\ntwo", score=4.5, tags=["x", {"y": None}], vip=True, count=3)
    assert somebody.attributes == {
        "notes": "one\ntwo",
        "score": 4.5,
        "tags": ["x", {"y": None}],
        "vip": True,
        "count": 3,
    }


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"first_name": "A\0B"}, "first_name contains a NUL character"),
        ({"notes": "ä\0"}, "notes contains a NUL"),
        ({"notes": "\ud800"}, "notes contains"),
        ({"notes": ["\ud800"]}, "notes can't be stored"),
        ({"notes": {"\0": 1}}, "notes can't be stored"),
        ({"no\0tes": "x"}, "the name"),
        ({"custom.": "x"}, "has no name"),
        ({"score": float("nan")}, "finite"),
        ({"when": {1, 2}}, "when can't be stored"),
        ({"phone": True}, "phone must be text, not true or false"),
        ({"phone": 1.5}, "phone must be text, not a fraction"),
        ({"first_name": ["Ann"]}, "first_name must be text, not a list"),
        ({"external_id": "a\nb"}, "external_id 'a\\nb' contains a control character"),
        ({"external_id": "x" * 256}, "longer than 255"),
        ({"notes": "x" * 70_000}, "larger than 64 KiB"),
        ({"notes": "ä" * 40_000}, "larger than 64 KiB"),
        ({"notes": ["x" * 40_000, "y" * 40_000]}, "larger than 64 KiB"),
    ],
)
def test_what_can_not_be_stored_is_refused(fields: dict[str, object], why: str) -> None:
    assert why in refusal_of({"email": "a@example.com", **fields})


def test_depth_has_a_limit() -> None:
    deep: object = "x"
    for _ in range(40):
        deep = [deep]
    assert "nested deeper" in refusal(email="a@example.com", deep=deep)


def test_64_kib_is_enough_for_64_kib() -> None:
    assert len(str(made(email="a@example.com", notes="x" * 65_000).attributes["notes"])) == 65_000


def test_a_long_value_is_shortened_in_the_reason() -> None:
    assert len(refusal(needs=frozenset({"email"}), email="x" * 10_000)) < 300


def test_newer_values_refresh_older_ones() -> None:
    older = made(external_id="c", email="a@example.com", first_name="Ann", plan="free", city="Bonn")
    newer = made(email="B@example.com", last_name="Lee", plan="pro")
    refreshed = older.refreshed(newer)
    assert refreshed.external_id == "c"
    assert (refreshed.email, refreshed.email_key) == ("B@example.com", "b@example.com")
    assert (refreshed.first_name, refreshed.last_name) == ("Ann", "Lee")
    assert refreshed.attributes == {"plan": "pro", "city": "Bonn"}


def test_every_column_is_a_field_of_a_person() -> None:
    assert set(COLUMNS) <= set(Person.__slots__)
