"""Every kind of CSV that people have."""

import csv
import io
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import InvalidInput
from producers.bulk.columns import require_columns
from producers.bulk.csv_records import MAX_LINES
from producers.bulk.lines import BLOCK
from producers.bulk.reading import open_records
from producers.bulk.records import BrokenRecord, Record
from producers.bulk.source import open_source


def read(data: bytes | str, encoding: str | None = None) -> tuple[list[Record | BrokenRecord], int]:
    """The records, and how many lines were read as latin-1."""
    data = data.encode() if isinstance(data, str) else data
    with open_source("-", encoding=encoding, stdin=io.BytesIO(data)) as source:
        records = open_records(source, format="csv")
        return list(records), records.latin1_lines


def good(data: bytes | str, encoding: str | None = None) -> list[tuple[int, dict[str, object]]]:
    records, _ = read(data, encoding)
    assert all(isinstance(record, Record) for record in records), records
    return [(record.line, dict(record.fields)) for record in records if isinstance(record, Record)]


def broken(data: bytes | str, encoding: str | None = None) -> list[tuple[int, str]]:
    return [(record.line, record.reason) for record in read(data, encoding)[0] if isinstance(record, BrokenRecord)]


def emails(data: bytes | str, encoding: str | None = None) -> list[object]:
    return [record.fields["email"] for record in read(data, encoding)[0] if isinstance(record, Record)]


def refusal(data: bytes | str, encoding: str | None = None) -> str:
    with pytest.raises(InvalidInput) as refused:
        read(data, encoding)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_columns_are_known_by_any_spelling() -> None:
    [(line, fields)] = good(
        "E-Mail,PHONE, First Name ,last-name,External_ID,Time Zone,Company Name\na@b.c,1,A,B,x,UTC,Acme\n"
    )
    assert line == 2
    assert fields == {
        "email": "a@b.c", "phone": "1", "first_name": "A", "last_name": "B", "external_id": "x", "timezone": "UTC",
        "Company Name": "Acme",
    }  # fmt: skip


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends(end: str) -> None:
    lines = ["email,notes", "a@b.c,one", "", f'b@b.c,"two{end}three"', "c@b.c,four"]
    assert [(line, fields["email"]) for line, fields in good(end.join(lines))] == [
        (2, "a@b.c"), (4, "b@b.c"), (6, "c@b.c"),
    ]  # fmt: skip
    assert good(end.join(lines))[1][1]["notes"] == f"two{end}three"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters(delimiter: str) -> None:
    [(_, fields)] = good(f"email{delimiter}first_name\na@b.c{delimiter}Ann\n")
    assert fields == {"email": "a@b.c", "first_name": "Ann"}


def test_our_columns_decide_between_delimiters() -> None:
    [(_, fields)] = good("email;notes, if any, here\na@b.c;x\n")
    assert fields == {"email": "a@b.c", "notes, if any, here": "x"}


def test_excel_names_its_delimiter() -> None:
    assert good("sep=;\r\nemail;first_name\r\na@b.c;Ann\r\n") == [(3, {"email": "a@b.c", "first_name": "Ann"})]


def test_quotes_are_doubled_and_spaces_around_them_do_not_matter() -> None:
    [(_, fields)] = good('email,notes,city\na@b.c, "say ""hi"", twice" ,Bonn\n')
    assert str(fields["notes"]).strip() == 'say "hi", twice'


def test_one_column_is_a_file_too() -> None:
    assert emails("email\na@b.c\n\nb@b.c") == ["a@b.c", "b@b.c"]


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (b"\xef\xbb\xbf", "utf-8"),
        (b"\xff\xfe", "utf-16-le"),
        (b"\xfe\xff", "utf-16-be"),
        (b"\xff\xfe\x00\x00", "utf-32-le"),
        (b"", "utf-8"),
    ],
)
def test_byte_order_marks(mark: bytes, encoding: str) -> None:
    text = "email,first_name\r\na@b.c,Zoë 🎉\r\n"
    assert good(mark + text.encode(encoding)) == [(2, {"email": "a@b.c", "first_name": "Zoë 🎉"})]


@pytest.mark.parametrize("told", ["utf-16", "utf-16-be", "UTF_16"])
def test_a_byte_order_mark_knows_better_which_utf_16_it_is(told: str) -> None:
    assert emails(b"\xfe\xff" + "email\na@b.c\n".encode("utf-16-be"), told) == ["a@b.c"]


def test_a_line_that_is_not_utf_8_is_latin_1_alone() -> None:
    data = b"\xef\xbb\xbfemail,name\n" + "a@b.c,Zoë\n".encode() + b"b@b.c,Zo\xeb\n" + b"c@b.c,\x80 5 \x81\n"
    records, latin1 = read(data)
    assert [record.raw[1] for record in records] == ["Zoë", "Zoë", "€ 5 \x81"]
    assert latin1 == 2


def test_an_encoding_that_is_told_is_strict() -> None:
    data = b"email,name\na@b.c,Zo\xeb\nb@b.c,Ann\n"
    records, latin1 = read(data, "utf-8")
    assert [record.line for record in records] == [2, 3]
    assert broken(data, "utf-8") == [(2, "is not valid utf-8: mend it, or give another --encoding")]
    assert records[0].raw == ["a@b.c", "Zo\ufffd"]
    assert latin1 == 0
    assert good(data, "latin-1")[0][1]["name"] == "Zoë"


def test_a_truncated_character_costs_only_its_own_line() -> None:
    data = "email,name\na@b.c,日".encode("shift_jis")[:-1] + "\nb@b.c,日本\n".encode("shift_jis")
    assert emails(data, "shift_jis") == ["b@b.c"]
    odd = "email,name\na@b.c,x\n".encode("utf-16-le") + b"\x00\xd8" + "\nb@b.c,y\n".encode("utf-16-le")
    assert emails(odd, "utf-16-le") == ["a@b.c", "b@b.c"]


def test_more_columns_than_the_header_are_refused_unless_empty() -> None:
    data = "email,city\na@b.c,Bonn,NRW\nb@b.c,Bonn,,\nc@b.c,Bonn\n"
    assert broken(data) == [(2, "has 3 columns where the header has 2: quote a value that contains the delimiter")]
    assert emails(data) == ["b@b.c", "c@b.c"]


def test_fewer_columns_than_the_header_are_empty_last_cells() -> None:
    data = "email,city,zip\na@b.c,Bonn\nb@b.c\nc@b.c,Bonn,1\n"
    assert broken(data) == []
    assert good(data) == [
        (2, {"email": "a@b.c", "city": "Bonn", "zip": ""}),
        (3, {"email": "b@b.c", "city": "", "zip": ""}),
        (4, {"email": "c@b.c", "city": "Bonn", "zip": "1"}),
    ]


def test_lines_of_empty_values_are_blank() -> None:
    assert emails("email,city,zip\n,,\na@b.c,Bonn,1\n,\n , , , \n   \n") == ["a@b.c"]


def test_empty_columns_at_the_end_of_the_header_do_not_count() -> None:
    assert good("email,city,,\na@b.c,Bonn,,\n") == [(2, {"email": "a@b.c", "city": "Bonn"})]


def test_a_quote_that_is_never_closed_costs_one_line() -> None:
    data = 'email,notes\na@b.c,"open\n' + "".join(f"p{n}@b.c,x\n" for n in range(3_000))
    assert broken(data) == [(2, "a quote opened on line 2 is never closed")]
    assert len(emails(data)) == 3_000
    assert read(data)[0][1].line == 3


def test_a_quote_that_is_open_at_the_end_costs_one_line() -> None:
    assert broken('email,notes\na@b.c,x\nb@b.c,"open') == [(3, "a quote opened on line 3 is never closed")]
    data = 'email,notes\na@b.c,"open\nb@b.c,x\nc@b.c,y\n'
    assert broken(data) == [(2, "a quote opened on line 2 is never closed")]
    assert emails(data) == ["b@b.c", "c@b.c"]


def test_a_quote_that_another_record_closes_costs_one_line() -> None:
    data = 'email,notes\na@b.c,"open\nb@b.c,x\nc@b.c,"quoted"\nd@b.c,y\n'
    [(line, reason)] = broken(data)
    assert line == 2
    assert "double the quotes" in reason
    assert emails(data) == ["b@b.c", "c@b.c", "d@b.c"]


def test_quotes_in_the_middle_of_a_line_are_taken_as_they_are() -> None:
    assert [f["notes"] for _, f in good('email,notes\na@b.c,5" pipe\nb@b.c,"big" pipe\n')] == ['5" pipe', "big pipe"]


def test_many_open_quotes_cost_one_line_each() -> None:
    data = "email,notes\n" + "".join(f'p{n}@b.c,"open {n}\nq{n}@b.c,x\n' for n in range(500))
    records, _ = read(data)
    assert [record.line for record in records] == list(range(2, 1_002))
    assert sum(isinstance(record, Record) for record in records) == 500


def test_a_long_quoted_value_within_the_limit_is_fine() -> None:
    notes = "\n".join(["line"] * (MAX_LINES - 1))
    assert good(f'email,notes\na@b.c,"{notes}"\nb@b.c,x\n')[1][0] == MAX_LINES + 1


def test_endless_lines_are_refused_alone() -> None:
    data = b"email,notes\na@b.c," + b"x" * (5 * BLOCK) + b"\nb@b.c," + b"y" * (20 * BLOCK) + b"\nc@b.c,z\n"
    assert broken(data) == [
        (2, "is longer than 1048576 characters"),
        (3, "is longer than 1048576 characters"),
    ]
    assert emails(data) == ["c@b.c"]
    assert broken(f"email,notes\na@b.c,{'x' * 200_000}\n") == [(2, "has a value that is longer than 131072 characters")]


def test_blocks_meet_anywhere() -> None:
    for end in ("\n", "\r\n", "\r"):
        lines = ["email,notes", *(f'p{n}@b.c,"ä{"x" * (n % 97)}{end}y"' for n in range(12_000))]
        found = good(end.join(lines).encode())
        assert [line for line, _ in found] == list(range(2, 24_002, 2))


def test_rejects_that_were_mended_are_read_without_line_and_reason() -> None:
    with open_source("-", stdin=io.BytesIO(b"line,reason,email,city\n5,email is missing,a@b.c,Bonn\n")) as source:
        records = open_records(source, format="csv")
        assert records.header == ["email", "city"]
        assert list(records) == [Record(2, {"email": "a@b.c", "city": "Bonn"}, ["a@b.c", "Bonn"])]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "is empty"),
        (b"\n \n\r\n", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (b"email,phone\n", "has a header but no records"),
        (b"email,phone\n\n,\n", "has a header but no records"),
        (b"email,,phone\na,b,c\n", "column 2 has no name"),
        (b"email,E-mail\na,b\n", "columns 1 and 2 are both 'email'"),
        (b"city,custom.city\na,b\n", "columns 1 and 2 are both 'city'"),
        (b'"email,phone\na,b\n', "the header can't be read: a quote opened on line 1 is never closed"),
        (b'{"email": "a@b.c"}\n', "add --format ndjson"),
        (b"PK\x03\x04abc", "zip archive or an Excel workbook"),
        (b"\x1f\x8babc", "gzip"),
        (b"%PDF-1.7", "PDF"),
        (b"email\na@b.c\nb@\0.c\n", "line 3 has a NUL byte"),
        ("email\na@b.c\n".encode("utf-16-le"), "if it is UTF-16, add --encoding utf-16-le"),
    ],
)
def test_what_is_no_list_of_contacts_is_refused(data: bytes, why: str) -> None:
    assert why in refusal(data)


def test_an_encoding_must_be_known() -> None:
    for encoding in ("klingon", "rot13", "base64", "undefined", "utf\0"):
        assert "is not known" in refusal(b"email\na@b.c\n", encoding)


def complaint(header: Sequence[str], needs: set[str]) -> str:
    with pytest.raises(InvalidInput) as refused:
        require_columns(header, frozenset(needs), "welcome", "list.csv")
    return str(refused.value)


def test_a_missing_column_is_named_with_what_was_found() -> None:
    assert complaint(["Name", "City"], {"email", "phone"}) == (
        "list.csv has no column email and phone, which sequence 'welcome' needs; found: Name, City"
    )
    assert "did you mean 'Emial'? Rename it to email" in complaint(["Emial", "City"], {"email"})
    assert "did you mean 'Mobile Phone'? Rename it to phone" in complaint(["email", "Mobile Phone"], {"phone"})
    assert "The first line must name the columns" in complaint(["ann@example.com", "Ann"], {"email"})
    assert "external_id, email or phone" in complaint(["city"], set())
    require_columns(["E-Mail", "Phone"], frozenset({"email", "phone"}), "welcome", "list.csv")


VALUES = st.text(st.sampled_from("abé日,;\"\n\t| 'x."), max_size=12)


@settings(max_examples=500, deadline=None)
@given(
    rows=st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=8),
    end=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    encoding=st.sampled_from([None, "utf-8", "utf-16", "gb18030"]),
)
def test_what_a_writer_wrote_is_read_back(
    rows: list[tuple[str, str]], end: str, quoting: int, encoding: str | None
) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator=end, quoting=quoting)  # type: ignore[arg-type]
    writer.writerows([("email", "notes"), *((f"p{first}", second) for first, second in rows)])
    found = good(text.getvalue().encode(encoding or "utf-8"), encoding)
    expected = [(f"p{first}".strip(), second.strip()) for first, second in rows]
    assert [(str(f["email"]).strip(), str(f["notes"]).strip()) for _, f in found] == expected


@settings(max_examples=1_000, deadline=None)
@given(
    st.lists(
        st.sampled_from([b"a@b.c", b",", b'"', b'""', b"\n", b"\r", b"x", b"\xe9", "é".encode(), b" "]), max_size=60
    )
)
def test_no_content_is_lost_or_fatal(pieces: list[bytes]) -> None:
    data = b"email,notes\nfirst@b.c,x\n" + b"".join(pieces)
    records, _ = read(data)
    lines = [record.line for record in records]
    assert lines == sorted(set(lines))
    text = data.decode("latin-1")
    assert max(lines) <= len(io.StringIO(text, newline="").readlines())
