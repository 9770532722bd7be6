"""Keep the counts of outbox rows and of enrollments (docs/decisions/0027-counters-that-are-kept.md)."""

from alembic import op

revision = "0015"
down_revision = "0014"

TABLES = """
CREATE TABLE counters (
    workspace_id BIGINT NOT NULL,
    sequence_id BIGINT NOT NULL,
    kind TEXT NOT NULL,
    value TEXT NOT NULL,
    amount BIGINT NOT NULL,
    last_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT counters_pkey PRIMARY KEY (kind, workspace_id, value, sequence_id)
);
COMMENT ON COLUMN counters.sequence_id IS '0: the whole workspace';
COMMENT ON COLUMN counters.kind IS 'what is counted: outbox, steps, enrollments, enrolled';
COMMENT ON COLUMN counters.value IS 'its status; of enrolled: where it came from';
COMMENT ON COLUMN counters.amount IS 'as of the last fold; counter_deltas has the rest';
COMMENT ON COLUMN counters.last_at IS 'of enrolled: the latest enrolled_at, sequence time';

CREATE TABLE counter_deltas (
    workspace_id BIGINT NOT NULL,
    sequence_id BIGINT DEFAULT 0 NOT NULL,
    kind TEXT NOT NULL,
    value TEXT NOT NULL,
    amount BIGINT NOT NULL,
    last_at TIMESTAMP WITH TIME ZONE,
    made_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL
);
COMMENT ON COLUMN counter_deltas.amount IS 'by how much one statement changed the count';
COMMENT ON COLUMN counter_deltas.last_at IS 'of enrolled: the latest enrolled_at, sequence time';

CREATE TABLE sent_seconds (
    workspace_id BIGINT NOT NULL,
    second TIMESTAMP WITH TIME ZONE NOT NULL,
    amount BIGINT NOT NULL,
    CONSTRAINT sent_seconds_pkey PRIMARY KEY (workspace_id, second)
);
COMMENT ON COLUMN sent_seconds.second IS 'real time';
COMMENT ON COLUMN sent_seconds.amount IS 'messages that a provider accepted in it';
"""

#: `steps` counts sent messages and open tasks by sequence. Only rows that enter or leave these two statuses cost a
#: look-up of their enrollment, and statements without such rows don't run it. The setting fixes its plan: an index scan,
#: however small the table was when the session first made the plan.
COUNT_OUTBOX = """
CREATE FUNCTION count_outbox() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    has_steps boolean;
BEGIN
    IF TG_OP = 'INSERT' THEN
        WITH written AS (
            INSERT INTO counter_deltas (workspace_id, kind, value, amount)
            SELECT workspace_id, 'outbox', status, count(*) FROM new_rows GROUP BY workspace_id, status
            RETURNING value
        )
        SELECT bool_or(value IN ('open', 'sent')) FROM written INTO has_steps;
        IF has_steps THEN
            INSERT INTO counter_deltas (workspace_id, sequence_id, kind, value, amount)
            SELECT workspace_id, sequence_id, 'steps', status, sum(amount) FROM (
                SELECT workspace_id, status, amount,
                    (SELECT sequence_id FROM enrollments WHERE id = changed.enrollment_id) AS sequence_id
                FROM (
                    SELECT workspace_id, enrollment_id, status, count(*) AS amount FROM new_rows
                    WHERE status = 'open' OR status = 'sent' AND type IN ('sms', 'email') GROUP BY 1, 2, 3
                ) AS changed
            ) AS found WHERE sequence_id IS NOT NULL GROUP BY workspace_id, sequence_id, status;
        END IF;
    ELSIF TG_OP = 'DELETE' THEN
        WITH written AS (
            INSERT INTO counter_deltas (workspace_id, kind, value, amount)
            SELECT workspace_id, 'outbox', status, -count(*) FROM old_rows GROUP BY workspace_id, status
            RETURNING value
        )
        SELECT bool_or(value IN ('open', 'sent')) FROM written INTO has_steps;
        IF has_steps THEN
            INSERT INTO counter_deltas (workspace_id, sequence_id, kind, value, amount)
            SELECT workspace_id, sequence_id, 'steps', status, -sum(amount) FROM (
                SELECT workspace_id, status, amount,
                    (SELECT sequence_id FROM enrollments WHERE id = changed.enrollment_id) AS sequence_id
                FROM (
                    SELECT workspace_id, enrollment_id, status, count(*) AS amount FROM old_rows
                    WHERE status = 'open' OR status = 'sent' AND type IN ('sms', 'email') GROUP BY 1, 2, 3
                ) AS changed
            ) AS found WHERE sequence_id IS NOT NULL GROUP BY workspace_id, sequence_id, status;
        END IF;
    ELSE
        WITH changed AS MATERIALIZED (
            SELECT workspace_id, status, sum(amount) AS amount FROM (
                SELECT workspace_id, status, 1 AS amount FROM new_rows
                UNION ALL SELECT workspace_id, status, -1 FROM old_rows
            ) AS both_sides GROUP BY workspace_id, status
        ),
        written AS (
            INSERT INTO counter_deltas (workspace_id, kind, value, amount)
            SELECT workspace_id, 'outbox', status, amount FROM changed WHERE amount <> 0
        )
        SELECT bool_or(status IN ('open', 'sent')) FROM changed INTO has_steps;
        IF has_steps THEN
            INSERT INTO counter_deltas (workspace_id, sequence_id, kind, value, amount)
            SELECT workspace_id, sequence_id, 'steps', status, sum(amount) FROM (
                SELECT workspace_id, status, amount,
                    (SELECT sequence_id FROM enrollments WHERE id = changed.enrollment_id) AS sequence_id
                FROM (
                    SELECT workspace_id, enrollment_id, status, sum(amount) AS amount FROM (
                        SELECT workspace_id, enrollment_id, status, 1 AS amount FROM new_rows
                        WHERE status = 'open' OR status = 'sent' AND type IN ('sms', 'email')
                        UNION ALL SELECT workspace_id, enrollment_id, status, -1 FROM old_rows
                        WHERE status = 'open' OR status = 'sent' AND type IN ('sms', 'email')
                    ) AS both_sides GROUP BY 1, 2, 3 HAVING sum(amount) <> 0
                ) AS changed
            ) AS found WHERE sequence_id IS NOT NULL
            GROUP BY workspace_id, sequence_id, status HAVING sum(amount) <> 0;
        END IF;
    END IF;
    RETURN NULL;
END
$$;
"""

COUNT_ENROLLMENTS = """
CREATE FUNCTION count_enrollments() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO counter_deltas (workspace_id, sequence_id, kind, value, amount, last_at)
        SELECT workspace_id, sequence_id, 'enrolled', CASE WHEN batch_id IS NULL THEN 'event' ELSE 'file' END,
            count(*), max(enrolled_at)
        FROM new_rows GROUP BY 1, 2, 4;
        INSERT INTO counter_deltas (workspace_id, sequence_id, kind, value, amount)
        SELECT workspace_id, sequence_id, 'enrollments', status, count(*) FROM new_rows GROUP BY 1, 2, 4;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO counter_deltas (workspace_id, sequence_id, kind, value, amount)
        SELECT workspace_id, sequence_id, 'enrolled', CASE WHEN batch_id IS NULL THEN 'event' ELSE 'file' END,
            -count(*)
        FROM old_rows GROUP BY 1, 2, 4;
        INSERT INTO counter_deltas (workspace_id, sequence_id, kind, value, amount)
        SELECT workspace_id, sequence_id, 'enrollments', status, -count(*) FROM old_rows GROUP BY 1, 2, 4;
    ELSE
        INSERT INTO counter_deltas (workspace_id, sequence_id, kind, value, amount)
        SELECT workspace_id, sequence_id, 'enrollments', status, sum(amount) FROM (
            SELECT workspace_id, sequence_id, status, 1 AS amount FROM new_rows
            UNION ALL SELECT workspace_id, sequence_id, status, -1 FROM old_rows
        ) AS changed GROUP BY 1, 2, 4 HAVING sum(amount) <> 0;
    END IF;
    RETURN NULL;
END
$$;
"""

#: TRUNCATE waits for every writer of the table, so all their deltas are seen here.
TRUNCATED = """
CREATE FUNCTION count_truncated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO counter_deltas (workspace_id, sequence_id, kind, value, amount)
    SELECT workspace_id, sequence_id, kind, value, -sum(amount) FROM (
        SELECT workspace_id, sequence_id, kind, value, amount FROM counters WHERE kind = ANY(TG_ARGV::text[])
        UNION ALL
        SELECT workspace_id, sequence_id, kind, value, amount FROM counter_deltas WHERE kind = ANY(TG_ARGV::text[])
    ) AS counted GROUP BY 1, 2, 3, 4 HAVING sum(amount) <> 0;
    RETURN NULL;
END
$$;
"""

TRIGGERS = """
CREATE TRIGGER outbox_counted_insert AFTER INSERT ON outbox REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION count_outbox();
CREATE TRIGGER outbox_counted_update AFTER UPDATE ON outbox REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION count_outbox();
CREATE TRIGGER outbox_counted_delete AFTER DELETE ON outbox REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION count_outbox();
CREATE TRIGGER outbox_counted_truncate AFTER TRUNCATE ON outbox
    FOR EACH STATEMENT EXECUTE FUNCTION count_truncated('outbox', 'steps');
CREATE TRIGGER enrollments_counted_insert AFTER INSERT ON enrollments REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION count_enrollments();
CREATE TRIGGER enrollments_counted_update AFTER UPDATE ON enrollments
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION count_enrollments();
CREATE TRIGGER enrollments_counted_delete AFTER DELETE ON enrollments REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION count_enrollments();
CREATE TRIGGER enrollments_counted_truncate AFTER TRUNCATE ON enrollments
    FOR EACH STATEMENT EXECUTE FUNCTION count_truncated('enrollments', 'enrolled');
"""

#: Each delta is added by the transaction that deletes it: two folds at once add none twice. The order of the rows
#: keeps them from a deadlock.
FOLD = """
CREATE FUNCTION fold_counters() RETURNS bigint LANGUAGE sql AS $$
    WITH gone AS (
        DELETE FROM counter_deltas RETURNING workspace_id, sequence_id, kind, value, amount, last_at, made_at
    ),
    folded AS (
        INSERT INTO counters AS kept (workspace_id, sequence_id, kind, value, amount, last_at)
        SELECT workspace_id, sequence_id, kind, value, sum(amount), max(last_at) FROM gone
        GROUP BY kind, workspace_id, value, sequence_id ORDER BY kind, workspace_id, value, sequence_id
        ON CONFLICT (kind, workspace_id, value, sequence_id) DO UPDATE
        SET amount = kept.amount + excluded.amount, last_at = greatest(kept.last_at, excluded.last_at)
    ),
    sent AS (
        INSERT INTO sent_seconds AS kept (workspace_id, second, amount)
        SELECT workspace_id, date_trunc('second', made_at), sum(amount) FROM gone
        WHERE kind = 'steps' AND value = 'sent' AND amount > 0 AND made_at > clock_timestamp() - interval '2 minutes'
        GROUP BY 1, 2 ORDER BY 1, 2
        ON CONFLICT (workspace_id, second) DO UPDATE SET amount = kept.amount + excluded.amount
    ),
    forgotten AS (
        DELETE FROM sent_seconds WHERE second <= clock_timestamp() - interval '2 minutes'
    )
    SELECT count(*) FROM gone
$$;
"""

RECOUNT = """
CREATE FUNCTION recount() RETURNS bigint LANGUAGE sql AS $$
    SELECT fold_counters();
    WITH counted AS MATERIALIZED (
        SELECT workspace_id, 0::bigint AS sequence_id, 'outbox' AS kind, status AS value, count(*) AS amount,
            NULL::timestamptz AS last_at
        FROM outbox GROUP BY workspace_id, status
        UNION ALL
        SELECT o.workspace_id, e.sequence_id, 'steps', o.status, count(*), NULL
        FROM outbox o JOIN enrollments e ON e.id = o.enrollment_id
        WHERE o.status = 'open' OR o.status = 'sent' AND o.type IN ('sms', 'email') GROUP BY 1, 2, 4
        UNION ALL
        SELECT workspace_id, sequence_id, 'enrollments', status, count(*), NULL FROM enrollments GROUP BY 1, 2, 4
        UNION ALL
        SELECT workspace_id, sequence_id, 'enrolled', CASE WHEN batch_id IS NULL THEN 'event' ELSE 'file' END,
            count(*), max(enrolled_at)
        FROM enrollments GROUP BY 1, 2, 4
    ),
    corrected AS (
        INSERT INTO counters AS kept (workspace_id, sequence_id, kind, value, amount, last_at)
        SELECT workspace_id, sequence_id, kind, value, amount, last_at FROM counted
        ON CONFLICT (kind, workspace_id, value, sequence_id) DO UPDATE
        SET amount = excluded.amount, last_at = excluded.last_at
        WHERE (kept.amount, kept.last_at) IS DISTINCT FROM (excluded.amount, excluded.last_at)
        RETURNING amount
    ),
    removed AS (
        DELETE FROM counters AS kept WHERE NOT EXISTS (
            SELECT FROM counted WHERE (counted.kind, counted.workspace_id, counted.value, counted.sequence_id)
                = (kept.kind, kept.workspace_id, kept.value, kept.sequence_id)
        )
        RETURNING amount
    )
    SELECT (SELECT count(*) FROM corrected) + (SELECT count(*) FROM removed WHERE amount <> 0)
$$;
COMMENT ON FUNCTION recount() IS
    'call it in a REPEATABLE READ transaction that has locked counters against folds before its first snapshot';
"""


def upgrade() -> None:
    """Add the counters, and count what there is. Writers wait meanwhile: CREATE TRIGGER locks them out."""
    for statements in (TABLES, COUNT_OUTBOX, COUNT_ENROLLMENTS, TRUNCATED, TRIGGERS, FOLD, RECOUNT):
        op.execute(statements)
    op.execute("SELECT recount()")


def downgrade() -> None:
    """Take them away."""
    for table in ("outbox", "enrollments"):
        for event in ("insert", "update", "delete", "truncate"):
            op.execute(f"DROP TRIGGER {table}_counted_{event} ON {table}")
    op.execute("DROP FUNCTION recount(), fold_counters(), count_truncated(), count_enrollments(), count_outbox()")
    op.execute("DROP TABLE sent_seconds, counter_deltas, counters")
