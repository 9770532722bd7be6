"""What would be lost by going back to an older revision: tables and columns that hold something."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, text

from schema import migrate
from schema.counted import counted

#: Partitions are counted with their tables.
COLUMNS: Final = text("""
SELECT c.relname, a.attname, pg_get_expr(d.adbin, d.adrelid)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum AND a.attgenerated = ''
WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition
ORDER BY c.relname, a.attnum
""")


@dataclass(frozen=True, slots=True)
class Loss:
    """A table, or one of its columns, that the older revision does not have."""

    table: str
    column: str | None
    """None: the whole table."""
    rows: int
    """That the table has, or in which the column says something."""

    def __str__(self) -> str:
        """In words."""
        if self.column is None:
            return f"table {self.table} with {counted(self.rows, 'row')}"
        return f"column {self.column} of {self.table}, which {counted(self.rows, 'row')} of it {self._use}"

    @property
    def _use(self) -> str:
        return "uses" if self.rows == 1 else "use"


def losses(connection: Connection, steps: int) -> list[Loss]:
    """Return what going back by so many revisions would lose; nothing is changed.

    Raises:
        ValueError: the database has not that many revisions.
    """
    before = _columns(connection)
    with connection.begin_nested() as trial:
        migrate.down(connection, steps)
        after = _columns(connection)
        trial.rollback()
    tables = {table for table, _ in before}
    gone = sorted(tables - {table for table, _ in after})
    found = [Loss(table, None, _count(connection, table, "true")) for table in gone]
    for (table, column), default in before.items():
        if table not in gone and (table, column) not in after:
            says = f'"{column}" IS NOT NULL' + (f' AND "{column}" IS DISTINCT FROM {default}' if default else "")
            found.append(Loss(table, column, _count(connection, table, says)))
    return [loss for loss in found if loss.rows]


def _columns(connection: Connection) -> dict[tuple[str, str], str | None]:
    """Return all columns with their defaults as SQL; none: an empty database."""
    return {(table, column): default for table, column, default in connection.execute(COLUMNS)}


def _count(connection: Connection, table: str, where: str) -> int:
    query = f'SELECT count(*) FROM "{table}" WHERE {where}'  # noqa: S608 (names and defaults of our own tables)
    return int(connection.exec_driver_sql(query).scalar_one())
