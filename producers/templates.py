"""The library of a workspace: templates of messages and tasks, published as immutable versions."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any, Final

from psycopg.types.json import Jsonb

from engine.database import Session
from engine.errors import InvalidInput, NotFound
from producers.operator import Operator
from producers.sequences import KEY
from producers.template_uses import Use, uses
from producers.unknown import unknown
from schema.counted import counted
from schema.definition import InvalidDefinition
from schema.definition.library import CONTENT, Template
from schema.definition.template_file import TemplateFile, kind_of_type, parse_template

#: Makes the template or locks it, so that of two that publish at once the second sees the version of the first.
CLAIM: Final = """
INSERT INTO templates (workspace_id, key, type, created_by) VALUES (%s, %s, %s, %s)
ON CONFLICT (workspace_id, key) DO UPDATE SET type = templates.type RETURNING id, type
"""
NEWEST: Final = "SELECT number, content FROM template_versions WHERE template_id = %s ORDER BY number DESC LIMIT 1"
ADD: Final = """
INSERT INTO template_versions (workspace_id, template_id, number, content, created_by) VALUES (%s, %s, %s, %s, %s)
"""

#: Nobody deletes the template before the transaction ends.
FIND: Final = """
SELECT v.number, t.type, v.content FROM templates t JOIN template_versions v ON v.template_id = t.id
WHERE t.workspace_id = %(workspace)s AND t.key = %(key)s AND (v.number = %(number)s OR %(number)s::bigint IS NULL)
ORDER BY v.number DESC LIMIT 1 FOR KEY SHARE OF t
"""
KEYS: Final = "SELECT key FROM templates WHERE workspace_id = %s ORDER BY key"
ALL: Final = """
SELECT t.key, t.type, newest.number, newest.content ->> 'name', newest.created_by
FROM templates t CROSS JOIN LATERAL (
    SELECT number, content, created_by FROM template_versions WHERE template_id = t.id ORDER BY number DESC LIMIT 1
) AS newest
WHERE t.workspace_id = %s ORDER BY t.key
"""
LOCK: Final = "SELECT id FROM templates WHERE workspace_id = %s AND key = %s FOR UPDATE"
DELETE: Final = "DELETE FROM templates WHERE id = %s"


@dataclass(frozen=True, slots=True)
class PublishedTemplate:
    """What became of a template's file."""

    template: str
    kind: str
    version: int
    changed: bool
    """Whether it is a new version; False: it equals the newest one."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A template and the steps that use it."""

    template: str
    kind: str
    type: str
    name: str | None
    version: int
    applied_by: str | None
    """Who applied that version; None: it is not known."""
    uses: list[Use]
    """In the newest versions of sequences."""


class WorkspaceLibrary:
    """The templates of a workspace, for the files that are read in a transaction."""

    def __init__(self, session: Session, workspace_id: int) -> None:
        """Read each template when it is asked for."""
        self._session = session
        self._workspace_id = workspace_id
        self._found: dict[tuple[str, int | None], Template | None] = {}

    def find(self, key: str, version: int | None) -> Template | None:
        """Return a version of a template, None: the newest; None if there is none."""
        if (key, version) not in self._found:
            asked = {"workspace": self._workspace_id, "key": key, "number": version}
            row = self._session.execute(FIND, asked).fetchone() if KEY.fullmatch(key) else None
            self._found[key, version] = None if row is None else Template(key, *row)
        return self._found[key, version]

    def keys(self) -> Collection[str]:
        """Return the keys of all templates, in order."""
        return [key for (key,) in self._session.execute(KEYS, (self._workspace_id,))]


def publish_template(session: Session, workspace_id: int, file: TemplateFile, by: str | None) -> PublishedTemplate:
    """Write a new version, unless the newest one is the same. `by` applies it.

    Raises:
        InvalidInput: the template is for steps of another type.
    """
    with session.transaction():
        ((template_id, type_),) = session.execute(CLAIM, (workspace_id, file.key, file.type, by)).fetchall()
        if type_ != file.type:
            raise InvalidInput(
                f"template {file.key!r} is of type {type_}, and can't become one of type {file.type}:"
                " choose another key"
            )
        number, content = session.execute(NEWEST, (template_id,)).fetchone() or (0, None)
        if content == file.content:
            return PublishedTemplate(file.key, file.kind, number, changed=False)
        session.execute(ADD, (workspace_id, template_id, number + 1, Jsonb(file.content), by))
    return PublishedTemplate(file.key, file.kind, number + 1, changed=True)


def list_templates(session: Session, workspace_id: int, kind: str | None = None) -> list[Listed]:
    """Return the templates of a workspace in the order of their keys, with their uses; of one kind if it is given."""
    used = uses(session, workspace_id)
    return [
        Listed(key, kind_of_type(type_), type_, name, version, by, used.get(key, []))
        for key, type_, version, name, by in session.execute(ALL, (workspace_id,))
        if kind is None or kind_of_type(type_) == kind
    ]


def template_of(session: Session, workspace_id: int, key: str, version: int | None = None) -> tuple[TemplateFile, int]:
    """Return a version of a template as the file that makes it, None: of the newest; and its number.

    Raises:
        NotFound: there is no such template, or no such version.
    """
    library = WorkspaceLibrary(session, workspace_id)
    found = library.find(key, version)
    if found is None and (newest := library.find(key, None)) is not None:
        raise NotFound(f"template {key!r} has no version {version}: the newest is {newest.version}")
    if found is None:
        raise NotFound(_unknown(key, library))
    return TemplateFile(key, kind_of_type(found.type), found.type, _content(found)), found.version


def duplicate_template(
    session: Session, workspace_id: int, key: str, new: str, name: str | None, by: str | None
) -> PublishedTemplate:
    """Publish the newest version of a template under another key; no step uses it.

    Raises:
        InvalidInput: there is one of that key, or the key or the name can't be used.
        NotFound: there is no such template.
    """
    original, _ = template_of(session, workspace_id, key)
    if new in WorkspaceLibrary(session, workspace_id).keys():  # noqa: SIM118 (it is no mapping)
        raise InvalidInput(f"there is a template {new!r} already: choose another key")
    content = original.content if name is None else {**original.content, "name": name}
    try:
        copy = parse_template(replace(original, key=new, content=content).to_yaml())
    except InvalidDefinition as error:
        raise InvalidInput("; ".join(problem.message for problem in error.problems)) from None
    published = publish_template(session, workspace_id, copy, by)
    if published.version != 1:
        raise InvalidInput(f"there is a template {new!r} since this moment: choose another key")
    return published


def delete_template(session: Session, workspace_id: int, key: str, operator: Operator) -> None:
    """Delete a template with all its versions.

    Raises:
        InvalidInput: steps use it; the message says which.
        NotFound: there is no such template.
    """
    template_id = require_unused(session, workspace_id, key)
    session.execute(DELETE, (template_id,))
    operator.note(session, workspace_id, "deleted", f"template {key}")


def require_unused(session: Session, workspace_id: int, key: str) -> int:
    """Return the id of a template that no step uses, and keep new uses waiting until the transaction ends.

    Raises:
        InvalidInput: steps use it; the message says which.
        NotFound: there is no such template.
    """
    row = session.execute(LOCK, (workspace_id, key)).fetchone() if KEY.fullmatch(key) else None
    if row is None:
        raise NotFound(_unknown(key, WorkspaceLibrary(session, workspace_id)))
    if used := uses(session, workspace_id).get(key):
        raise InvalidInput(
            f"template {key!r} is used by {counted(len(used), 'step')}: {', '.join(map(str, used))};"
            " apply these sequences without it first"
        )
    return int(row[0])


def _content(found: Template) -> dict[str, Any]:
    """Return the content in the order of a file: JSONB keeps none."""
    return {name: found.content[name] for name in CONTENT[found.type] if name in found.content}


def _unknown(key: str, library: WorkspaceLibrary) -> str:
    return unknown("template", key, list(library.keys()), "apply a file of one with `cadenza apply FILE`")
