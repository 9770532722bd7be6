"""What the database and Redis need for a row."""

from dataclasses import asdict, dataclass
from struct import unpack_from
from typing import Any, Final

from deploy.scale.place import Place
from engine.database import Session

#: Partitions count for their table; what is out of line counts as part of it.
TABLES: Final = """
SELECT coalesce(parent.relname, c.relname), sum(c.reltuples)::bigint, sum(pg_table_size(c.oid))::bigint,
    sum(pg_indexes_size(c.oid))::bigint
FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid LEFT JOIN pg_class parent ON parent.oid = i.inhparent
WHERE c.relkind = 'r' AND c.relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
GROUP BY 1 HAVING sum(c.reltuples) >= 100 ORDER BY sum(pg_total_relation_size(c.oid)) DESC
"""

INDEXES: Final = """
SELECT c.relname, parent.relname, c.reltuples::bigint, pg_relation_size(c.oid),
    pg_read_binary_file(pg_relation_filepath(c.oid), 0, 64)
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class parent ON parent.oid = i.indrelid
WHERE c.relkind = 'i' AND parent.relname IN ('contacts', 'enrollments', 'outbox', 'attempt_records', 'events')
    AND pg_relation_size(c.oid) > 8192
ORDER BY pg_relation_size(c.oid) DESC
"""

#: Of a B-tree's first page: where its number of levels below the root is written.
LEVEL_OFFSET: Final = 36

DATABASE: Final = "SELECT pg_database_size(current_database())"


@dataclass(frozen=True, slots=True)
class Table:
    """How large a table is."""

    name: str
    rows: int
    table_bytes: int
    index_bytes: int


@dataclass(frozen=True, slots=True)
class Index:
    """How large an index is, and how many levels a look-up goes down."""

    name: str
    table: str
    rows: int
    bytes: int
    levels: int


@dataclass(frozen=True, slots=True)
class Storage:
    """What all of it takes."""

    database_bytes: int
    redis_bytes_per_wakeup: float
    tables: list[Table]
    indexes: list[Index]

    @property
    def outbox_rows(self) -> int:
        """Those that measures have added to the size are among them."""
        return next(table.rows for table in self.tables if table.name == "outbox")

    def document(self) -> dict[str, Any]:
        """As scale.json has it."""
        return asdict(self)


def measure(place: Place, redis_bytes_empty: int) -> Storage:
    """Read the sizes; what is on the way to disk counts too."""
    with place.producer.transaction() as session:
        session.execute("CHECKPOINT")  # so that the first pages of indexes can be read
        tables = [Table(*row) for row in session.execute(TABLES)]
        indexes = [
            Index(name, table, rows, bytes_, _levels(first))
            for name, table, rows, bytes_, first in session.execute(INDEXES)
        ]
        size = _size(session)
    waiting = place.wakeups.counts()["waiting"]
    used = int(place.redis.info("memory")["used_memory"]) - redis_bytes_empty
    return Storage(size, used / waiting if waiting else 0.0, tables, indexes)


def _levels(first_page: bytes) -> int:
    """Pages from the root to a leaf, both counted."""
    return int(unpack_from("<I", first_page, LEVEL_OFFSET)[0]) + 1


def _size(session: Session) -> int:
    row = session.execute(DATABASE).fetchone()
    return int(row[0]) if row else 0
