"""Opt-outs that follow the person, contacts on hold, and numbers that nothing is delivered to."""

from alembic import op

revision = "0021"
down_revision = "0020"

#: People who opted out before keep their addresses suppressed; each contact that has such an address now has opted out.
UP = """
ALTER TABLE suppressions ADD COLUMN note text;
COMMENT ON COLUMN suppressions.note IS 'what an operator or an imported list says of it';
CREATE TABLE contact_opt_outs (
    contact_id bigint NOT NULL,
    channel text NOT NULL,
    workspace_id bigint NOT NULL,
    reason text NOT NULL,
    created_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT contact_opt_outs_pkey PRIMARY KEY (contact_id, channel),
    CONSTRAINT contact_opt_outs_channel_check CHECK (channel IN ('sms', 'email')),
    CONSTRAINT contact_opt_outs_contact_id_fkey FOREIGN KEY (contact_id) REFERENCES contacts (id) ON DELETE CASCADE,
    CONSTRAINT contact_opt_outs_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces (id)
);
COMMENT ON TABLE contact_opt_outs IS 'people who must not be contacted on a channel, whatever their address is';
CREATE INDEX contact_opt_outs_workspace_idx ON contact_opt_outs (workspace_id, contact_id);
INSERT INTO contact_opt_outs (contact_id, channel, workspace_id, reason, created_at)
SELECT c.id, s.channel, s.workspace_id, s.reason, s.created_at
FROM suppressions s JOIN contacts c ON c.workspace_id = s.workspace_id
    AND s.address = CASE s.channel WHEN 'sms' THEN c.phone ELSE c.email_key END
WHERE s.reason IN ('stop', 'unsubscribed', 'complained');
ALTER TABLE workspaces ADD COLUMN opt_out_scope text DEFAULT 'channel' NOT NULL,
    ADD CONSTRAINT workspaces_opt_out_scope_check CHECK (opt_out_scope IN ('channel', 'all'));
COMMENT ON COLUMN workspaces.opt_out_scope IS
    'whether an opt-out bars the channel on which it came, or all channels';
ALTER TABLE workspaces ADD COLUMN doubtful text DEFAULT 'hold' NOT NULL,
    ADD COLUMN opt_out_words text[] DEFAULT '{}' NOT NULL,
    ADD CONSTRAINT workspaces_doubtful_check CHECK (doubtful IN ('hold', 'go-on'));
COMMENT ON COLUMN workspaces.doubtful IS
    'what happens to a contact whose message may be an opt-out, until an operator decides';
COMMENT ON COLUMN workspaces.opt_out_words IS 'its own, beside those of each language';
CREATE TABLE contact_holds (
    event_id bigint NOT NULL,
    contact_id bigint NOT NULL,
    channel text NOT NULL,
    workspace_id bigint NOT NULL,
    created_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT contact_holds_pkey PRIMARY KEY (event_id),
    CONSTRAINT contact_holds_channel_check CHECK (channel IN ('sms', 'email')),
    CONSTRAINT contact_holds_contact_id_fkey FOREIGN KEY (contact_id) REFERENCES contacts (id) ON DELETE CASCADE,
    CONSTRAINT contact_holds_event_id_fkey FOREIGN KEY (event_id) REFERENCES events (id) ON DELETE CASCADE,
    CONSTRAINT contact_holds_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces (id)
);
COMMENT ON TABLE contact_holds IS
    'a channel of a contact waits until an operator decides whether a message is an opt-out';
CREATE INDEX contact_holds_contact_idx ON contact_holds (contact_id, channel);
INSERT INTO contact_holds (event_id, contact_id, channel, workspace_id)
SELECT id, contact_id, 'sms', workspace_id FROM events WHERE status = 'doubtful' AND contact_id IS NOT NULL;
CREATE TABLE undelivered (
    workspace_id bigint NOT NULL,
    address text NOT NULL,
    in_a_row smallint NOT NULL,
    error_code text NOT NULL,
    updated_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT undelivered_pkey PRIMARY KEY (workspace_id, address),
    CONSTRAINT undelivered_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces (id)
);
COMMENT ON COLUMN undelivered.address IS 'E.164';
COMMENT ON COLUMN undelivered.in_a_row IS 'messages not delivered since the last that was';
COMMENT ON COLUMN undelivered.error_code IS 'of the last one';
"""

DOWN = """
DROP TABLE undelivered;
DROP TABLE contact_holds;
ALTER TABLE workspaces DROP COLUMN opt_out_scope, DROP COLUMN doubtful, DROP COLUMN opt_out_words;
DROP TABLE contact_opt_outs;
ALTER TABLE suppressions DROP COLUMN note;
"""


def upgrade() -> None:
    """Add the table, and fill it from the suppressions."""
    op.execute(UP)


def downgrade() -> None:
    """Take it out again; the suppressions of addresses stay."""
    op.execute(DOWN)
