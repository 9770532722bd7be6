"""SQL that fixes how a statement finds its rows: by the ids that it was given, whatever the statistics say.

See docs/decisions/0023-one-shape-of-plan.md.
"""


def look_up(column: str, value: str) -> str:
    """Return a join condition by which `column` is found for each `value`, and never the other way round.

    Postgres can use it for an index on `column` and for nothing else: it makes no hash join, no merge join, and no walk
    along a whole index in its order.
    """
    return f"{column} = ANY (ARRAY[{value}])"


def checked(condition: str) -> str:
    """Return a condition that Postgres checks on each row that it has found, and never uses to find rows.

    A plain `status = 'pending'` lets it choose a partial index that was small when statistics were taken.
    """
    return f"coalesce({condition}, false)"
