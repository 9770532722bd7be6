"""Workspaces are made, listed and found; what can't be is refused with what would be right."""

import pytest

from engine.database import Database
from engine.errors import InvalidInput, NotFound
from producers.workspaces import Workspace, add, find_workspace, list_workspaces


def test_the_first_migration_makes_the_default(database: Database) -> None:
    with database.transaction() as session:
        (workspace,) = list_workspaces(session)
        assert find_workspace(session, "default") == workspace
    assert (workspace.key, workspace.timezone, workspace.region, workspace.max_tries) == ("default", "UTC", "US", 3)
    assert workspace.public_id.startswith("ws_")


def test_a_workspace_has_what_it_was_given(database: Database) -> None:
    with database.transaction() as session:
        made = add(session, "chez-ana", "Chez Ana", "europe/paris", "fr")
        plain = add(session, "plain")
    with database.transaction() as session:
        assert [workspace.key for workspace in list_workspaces(session)] == ["chez-ana", "default", "plain"]
        assert find_workspace(session, "chez-ana") == made
    assert isinstance(made, Workspace)
    assert (made.name, made.timezone, made.region) == ("Chez Ana", "Europe/Paris", "FR")
    assert (plain.name, plain.timezone, plain.region) == ("plain", "UTC", "US")
    assert made.public_id != plain.public_id
    assert made.sender_name is None
    assert made.email_from is None


@pytest.mark.parametrize(
    ("key", "name", "timezone", "region", "expected"),
    [
        ("Default", None, None, None, "'Default' can't be the key of a workspace: lower-case letters, digits,"),
        ("", None, None, None, "can't be the key of a workspace"),
        ("a\n", None, None, None, "can't be the key of a workspace"),
        ("a" * 64, None, None, None, "can't be the key of a workspace"),
        ("default", None, None, None, "there is a workspace 'default' already"),
        ("a", "  ", None, None, "the name of a workspace is 1 to 200 printable characters"),
        ("a", "x\0", None, None, "the name of a workspace"),
        (
            "a",
            None,
            "Europe/Pariss",
            None,
            "unknown time zone: 'Europe/Pariss' is not a time zone (did you mean 'Europe/Paris'?)",
        ),
        ("a", None, "../etc/passwd", None, "unknown time zone: '../etc/passwd'"),
        ("a", None, "", None, "unknown time zone: ''"),
        ("a", None, None, "UK", "unknown region 'UK': expected an ISO 3166 code of two letters, such as US, GB or FR"),
        ("a", None, None, "", "unknown region ''"),
    ],
)
def test_what_can_not_be_made(
    database: Database, key: str, name: str | None, timezone: str | None, region: str | None, expected: str
) -> None:
    with database.transaction() as session:
        with pytest.raises(InvalidInput) as caught:
            add(session, key, name, timezone, region)
        assert expected in str(caught.value)
        assert [workspace.key for workspace in list_workspaces(session)] == ["default"]


def test_an_unknown_workspace_says_what_there_is(database: Database) -> None:
    with database.transaction() as session, pytest.raises(NotFound) as caught:
        find_workspace(session, "defualt")
    assert str(caught.value) == "unknown workspace 'defualt' (did you mean 'default'?): there are default"


@pytest.mark.parametrize("key", ["a\0b", "\udc80", "", "x" * 100_000])
def test_a_key_that_no_workspace_can_have_is_unknown(database: Database, key: str) -> None:
    with database.transaction() as session, pytest.raises(NotFound, match="unknown workspace"):
        find_workspace(session, key)
