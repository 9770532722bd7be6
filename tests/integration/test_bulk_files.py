"""Files as they lie on a disk: opening, telling what they are, and writing rejects beside them."""

import csv
import hashlib
import io
import os
import resource
from pathlib import Path

import pytest

from engine.errors import CadenzaError, InvalidInput, StorageFull
from producers.bulk.reading import open_records
from producers.bulk.records import Reject
from producers.bulk.rejects import RejectsFile, place_of_rejects
from producers.bulk.source import open_source
from producers.bulk.spool import IN_MEMORY


def refusal(given: str, encoding: str | None = None) -> str:
    with pytest.raises(InvalidInput) as refused, open_source(given, encoding=encoding):
        pass
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_a_file_has_a_digest_and_a_size(tmp_path: Path) -> None:
    data = b"\xef\xbb\xbfemail\na@b.c\n"
    path = tmp_path / "list.csv"
    path.write_bytes(data)
    with open_source(str(path)) as source:
        assert (source.digest, source.size) == (hashlib.sha256(data).hexdigest(), len(data))
        assert len(list(open_records(source))) == 1
        assert len(list(open_records(source))) == 1


def test_standard_input_is_spooled_and_read_twice() -> None:
    data = b"email\n" + b"somebody@example.com\n" * (IN_MEMORY // 16)
    with open_source("-", stdin=io.BytesIO(data)) as source:
        assert source.digest == hashlib.sha256(data).hexdigest()
        assert source.path is None
        for _ in range(2):
            assert sum(1 for _ in open_records(source)) == IN_MEMORY // 16


def test_a_pipe_is_spooled_like_standard_input(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"email\na@b.c\n")
    os.close(writing)
    with open_source(f"/dev/fd/{reading}") as source:
        assert source.path is None
        assert place_of_rejects(source, None) == Path("stdin.rejected.csv")
        assert len(list(open_records(source))) == 1
    os.close(reading)


def test_waiting_for_standard_input_can_be_stopped() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"email\n")
    asked: list[int] = []

    def stop() -> bool:
        asked.append(1)
        return len(asked) > 2

    with (
        os.fdopen(reading, "rb") as stdin,
        pytest.raises(CadenzaError, match="stopped while waiting"),
        open_source("-", stdin=stdin, stop=stop),
    ):
        pass
    os.close(writing)


@pytest.mark.parametrize(
    ("name", "format"), [("a.csv", "csv"), ("a.txt", "csv"), ("a.ndjson", "ndjson"), ("a.JSONL", "ndjson")]
)
def test_the_suffix_tells_the_format(tmp_path: Path, name: str, format: str) -> None:  # noqa: A002
    data = {"csv": "email\na@b.c\n", "ndjson": '{"email": "a@b.c"}\n'}
    path = tmp_path / name
    path.write_text(data[format])
    with open_source(str(path)) as source:
        assert [record.fields for record in open_records(source)] == [{"email": "a@b.c"}]  # type: ignore[union-attr]
    path.write_text(data[{"csv": "ndjson", "ndjson": "csv"}[format]])
    with open_source(str(path)) as source:
        other = open_records(source, format={"csv": "ndjson", "ndjson": "csv"}[format])
        assert [record.fields for record in other] == [{"email": "a@b.c"}]  # type: ignore[union-attr]
    with open_source(str(path)) as source, pytest.raises(InvalidInput, match="one of csv, ndjson"):
        open_records(source, format="xml")


def test_what_can_not_be_read_is_refused(tmp_path: Path) -> None:
    assert refusal(str(tmp_path / "nobody.csv")).endswith("nobody.csv: no such file")
    assert "is a directory" in refusal(str(tmp_path))
    assert "can't be read" in refusal("a\0b.csv")
    assert "can't be read" in refusal(str(tmp_path / ("x" * 300)))
    (tmp_path / "empty.csv").touch()
    assert refusal(str(tmp_path / "empty.csv")).endswith("is empty")


def test_memory_stays_flat(tmp_path: Path) -> None:
    path = tmp_path / "big.csv"
    with path.open("w") as file:
        file.write("email,notes\n")
        file.writelines(f'p{n}@example.com,"{"x" * 500}\n{n}"\n' for n in range(60_000))
    assert path.stat().st_size > 30_000_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with open_source(str(path)) as source:
        assert sum(1 for _ in open_records(source)) == 60_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000


def test_rejects_go_beside_the_file_unless_told(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("email\na@b.c\n")
    with open_source(str(path)) as source:
        assert place_of_rejects(source, None) == tmp_path / "list.csv.rejected.csv"
        assert place_of_rejects(source, str(tmp_path / "r.csv")) == tmp_path / "r.csv"
        for wrong in (tmp_path, tmp_path / "nowhere" / "r.csv"):
            with pytest.raises(InvalidInput, match="--rejects"):
                place_of_rejects(source, str(wrong))


def test_no_other_file_is_overwritten_by_rejects(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("email\na@b.c\n")
    with open_source(str(path)) as source:
        with pytest.raises(InvalidInput, match="holds something else"):
            place_of_rejects(source, str(path))
        (tmp_path / "empty").touch()
        assert place_of_rejects(source, str(tmp_path / "empty"))


def test_a_rejects_file_is_made_only_when_something_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text("line,reason,email\n2,old,x\n")
    rejects = RejectsFile(path, ["email", "notes"])
    assert not path.exists()
    rejects.write([])
    rejects.close()
    assert not rejects.exists
    assert not path.exists()


def test_rejects_are_in_the_file_at_once(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    rejects = RejectsFile(path, ["email", "notes"])
    rejects.write([Reject(2, "email is missing", ["", 'say "hi"\nthere'])])
    length = rejects.write([Reject(5, "x", ["a", "é"])])
    with path.open(newline="", encoding="utf-8") as file:
        assert list(csv.reader(file)) == [
            ["line", "reason", "email", "notes"],
            ["2", "email is missing", "", 'say "hi"\nthere'],
            ["5", "x", "a", "é"],
        ]
    rejects.cut(length)
    rejects.write([Reject(7, "y", ["b", "c"])])
    rejects.close()
    with path.open(newline="", encoding="utf-8") as file:
        assert [row[0] for row in csv.reader(file)] == ["line", "2", "7"]


def test_a_full_disk_is_told_in_one_line() -> None:
    rejects = RejectsFile(Path("/dev/full"), ["email"])
    rejects.done = 4_000
    with pytest.raises(StorageFull) as full:
        rejects.write([Reject(2, "email is missing", [""])])
    rejects.close()
    assert str(full.value) == (
        "rejects file /dev/full: No space left on device; 4000 records are done, the rest is not;"
        " make room there, or give another file with --rejects"
    )


def test_a_folder_that_takes_no_files_is_told_in_one_line() -> None:
    rejects = RejectsFile(Path("/proc/r.csv"), ["email"])
    with pytest.raises(StorageFull, match="rejects file /proc/"):
        rejects.write([Reject(2, "email is missing", [""])])
    rejects.close()
