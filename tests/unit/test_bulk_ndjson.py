"""One JSON object a line."""

import io

import pytest

from engine.errors import InvalidInput
from producers.bulk.reading import open_records
from producers.bulk.records import BrokenRecord, Record
from producers.bulk.source import open_source


def read(data: bytes | str, encoding: str | None = None) -> list[Record | BrokenRecord]:
    data = data.encode() if isinstance(data, str) else data
    with open_source("-", encoding=encoding, stdin=io.BytesIO(data)) as source:
        return list(open_records(source, format="ndjson"))


def test_objects_become_fields() -> None:
    assert read('{"E-Mail": "a@b.c", "phone": 1, "Plan": {"tier": 2}}\r\n\n{"email": "b@b.c"}') == [
        Record(
            1,
            {"email": "a@b.c", "phone": 1, "Plan": {"tier": 2}},
            ['{"E-Mail": "a@b.c", "phone": 1, "Plan": {"tier": 2}}'],
        ),
        Record(3, {"email": "b@b.c"}, ['{"email": "b@b.c"}']),
    ]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('{"email": ', "is not valid JSON"),
        ("email,phone", "is not valid JSON"),
        ('"a@b.c"', "is not a JSON object"),
        ("[1]", "is not a JSON object"),
        ("42", "is not a JSON object"),
        ('{"email": "a", "Email": "b"}', "names the same column twice"),
        ("[" * 100_000, "nested too deep"),
        ('{"n": ' + "9" * 5_000 + "}", "too many digits"),
        ("x" * (1024 * 1024 + 5), "is longer than 1048576 characters"),
    ],
)
def test_a_line_that_is_no_object_is_refused_alone(line: str, why: str) -> None:
    records = read(f'{{"email": "a@b.c"}}\n{line}\n{{"email": "b@b.c"}}\n')
    assert [record.line for record in records] == [1, 2, 3]
    refused = records[1]
    assert isinstance(refused, BrokenRecord)
    assert why in refused.reason
    assert "\n" not in refused.reason
    assert line.startswith(refused.raw[0])


def test_encodings_are_as_in_csv() -> None:
    text = '{"email": "a@b.c", "name": "Zoë"}\n'
    for data, encoding in ((text.encode("utf-16"), None), (text.encode("latin-1"), None), (text.encode(), "utf-8")):
        [record] = read(data, encoding)
        assert isinstance(record, Record)
        assert record.fields["name"] == "Zoë"
    [refused] = read(text.encode("latin-1"), "utf-8")
    assert isinstance(refused, BrokenRecord)
    assert refused.reason == "is not valid utf-8: mend it, or give another --encoding"


@pytest.mark.parametrize(
    ("data", "why"),
    [("\n\n", "is empty"), ("", "is empty"), ('[\n{"email": "a@b.c"}\n]\n', "is a JSON array"), ("[{}]", "JSON array")],
)
def test_what_is_no_ndjson_is_refused(data: str, why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        read(data)
