"""Publishing writes a version once for each change, whoever else publishes, and what is found is what was published."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from engine.database import Database
from engine.errors import InvalidInput, NotFound
from producers.sequences import Published, find_sequence, publish, read_definition_file
from producers.workspaces import add, find_workspace
from schema.definition import Definition, parse
from schema.states import SequenceStatus


def definition(body: str = "hi", key: str = "demo", name: str = "Demo") -> Definition:
    return parse(f"sequence: {key}\nname: {name}\ntags: [a, b]\nsteps: [{{key: x, type: sms, body: '{body}'}}]")


def test_a_version_is_written_only_if_it_changed(database: Database) -> None:
    with database.transaction() as session:
        workspace = find_workspace(session, "default").id
        first = publish(session, workspace, definition())
        again = publish(session, workspace, definition())
        second = publish(session, workspace, definition("hello", name="Renamed"))
        back = publish(session, workspace, definition())
        row = session.execute("SELECT name, tags, status FROM sequences WHERE id = %s", (first.sequence_id,)).fetchone()
    assert (first.number, first.changed) == (1, True)
    assert again == Published(first.sequence_id, first.version_id, 1, changed=False)
    assert (second.number, second.changed) == (2, True)
    assert (back.number, back.changed) == (3, True)
    assert row == ("Demo", ["a", "b"], "active")


def test_what_is_found_is_the_newest_version_as_it_was_published(database: Database) -> None:
    with database.transaction() as session:
        workspace = find_workspace(session, "default").id
        publish(session, workspace, definition("😀 {{ contact.first_name }}"))
        published = publish(session, workspace, definition("newer"))
    with database.transaction() as session:
        found = find_sequence(session, workspace, "demo")
    assert (found.workspace_id, found.sequence_id) == (workspace, published.sequence_id)
    assert (found.version_id, found.number, found.key) == (published.version_id, 2, "demo")
    assert found.status is SequenceStatus.ACTIVE
    assert found.definition == definition("newer")


def test_a_version_can_not_be_changed(database: Database) -> None:
    with database.transaction() as session:
        workspace = find_workspace(session, "default").id
        publish(session, workspace, definition())
    with pytest.raises(psycopg.Error), database.transaction() as session:
        session.execute("UPDATE sequence_versions SET digest = 'x'")


def test_a_rolled_back_publication_leaves_nothing(database: Database) -> None:
    with pytest.raises(RuntimeError), database.transaction() as session:
        publish(session, find_workspace(session, "default").id, definition())
        raise RuntimeError
    with database.transaction() as session, pytest.raises(NotFound):
        find_sequence(session, find_workspace(session, "default").id, "demo")


def test_many_publish_the_same_at_once(database: Database) -> None:
    def once(_: int) -> Published:
        with database.transaction() as session:
            return publish(session, find_workspace(session, "default").id, definition())

    with ThreadPoolExecutor(8) as pool:
        published = list(pool.map(once, range(24)))
    assert sum(one.changed for one in published) == 1
    assert {(one.version_id, one.number) for one in published} == {(published[0].version_id, 1)}


def test_many_publish_changes_at_once(database: Database) -> None:
    def once(number: int) -> Published:
        with database.transaction() as session:
            return publish(session, find_workspace(session, "default").id, definition(f"text {number}"))

    with ThreadPoolExecutor(8) as pool:
        published = list(pool.map(once, range(16)))
    assert sorted(one.number for one in published) == list(range(1, 17))
    assert all(one.changed for one in published)


def test_workspaces_do_not_mix(database: Database) -> None:
    with database.transaction() as session:
        one, other = find_workspace(session, "default").id, add(session, "other").id
        first, second = publish(session, one, definition("one")), publish(session, other, definition("other"))
        assert first.sequence_id != second.sequence_id
        assert (first.number, second.number) == (1, 1)
        assert find_sequence(session, one, "demo").definition == definition("one")
        assert find_sequence(session, other, "demo").definition == definition("other")


def test_an_unknown_sequence_says_what_there_is(database: Database) -> None:
    with database.transaction() as session:
        workspace = find_workspace(session, "default").id
        with pytest.raises(NotFound, match=r"unknown sequence 'demo': there is none yet, publish one with `cadenza ap"):
            find_sequence(session, workspace, "demo")
        for number in range(25):
            publish(session, workspace, definition(key=f"demo-{number:02}"))
        with pytest.raises(NotFound) as caught:
            find_sequence(session, workspace, "demo-7")
        assert "unknown sequence 'demo-7' (did you mean 'demo-" in str(caught.value)
        assert str(caught.value).endswith("demo-18, demo-19 and 5 more")
        for key in ("x\n'; DROP TABLE outbox", "a\0b", "\udc80", ""):
            with pytest.raises(NotFound, match="unknown sequence"):
                find_sequence(session, workspace, key)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "{path}: the file is empty"),
        (b"\n# nothing\n", "{path}: the file is empty"),
        (b"\x89PNG\r\n\x1a\n\0\0", "{path}: is a binary file"),
        ("séquence: a".encode("utf-16"), "{path}: is UTF-16: save it as UTF-8"),
        ("sequence: a\nname: é\n".encode("latin-1"), "{path}:2: the byte 0xE9 is not UTF-8"),
        (b"#" * ((1 << 20) + 1), "{path}: is larger than 1 MiB"),
        (b"sequence: [\n", "{path}:2: not valid YAML"),
        (b"sequence: a\nsteps: [{key: x, type: sms}]\n", "{path}:2: step x: 'body' is missing: expected the text"),
    ],
)
def test_a_file_that_can_not_be_read_says_why_in_one_line(tmp_path: Path, content: bytes, expected: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(content)
    with pytest.raises(InvalidInput) as caught:
        read_definition_file(path)
    assert str(caught.value).startswith(expected.format(path=path))
    assert len(str(caught.value).splitlines()) == 1


def test_a_file_that_is_not_there_or_is_a_folder(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"nowhere.yaml: can't be read: No such file or directory"):
        read_definition_file(tmp_path / "nowhere.yaml")
    with pytest.raises(InvalidInput, match="can't be read: Is a directory"):
        read_definition_file(tmp_path)


def test_an_invalid_file_has_a_line_for_each_problem(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("sequence: a\nfoo: 1\nsteps:\n  - {key: x, type: sms}\n  - {type: sms, body: '{{ a }}'}\n")
    with pytest.raises(InvalidInput) as caught:
        read_definition_file(path)
    lines = str(caught.value).splitlines()
    assert [line.removeprefix(f"{path}:").split("'")[0] for line in lines] == [
        "2: unknown key ",
        "4: step x: ",
        "5: step #2: ",
        "5: step #2: ",
        "5: step #2: delay under one minute between messages: ",
    ]


def test_a_byte_order_mark_is_no_problem(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("\ufeffsequence: a\nsteps: [{key: x, type: sms, body: é}]\n", encoding="utf-8")
    assert read_definition_file(path).sequence == "a"
