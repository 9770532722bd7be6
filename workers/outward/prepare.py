"""Prepare an action that tells somebody: render what is said, the first time, or repeat it."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from math import inf
from typing import Final

from engine.clock import SequenceClock
from engine.database import Database
from engine.outbox.claim import Claimed
from engine.outbox.gates import Tried, first_try
from engine.outbox.settle import Ending
from engine.rules.ending import Standing
from engine.rules.rendering import Renderer, RenderError, Variables, clean_header, clean_text
from engine.rules.webhooks import MOST, Told, call_key, document, rendered
from engine.settings import Settings
from schema.definition import ActionStep
from schema.definition.outward import ASSIGNEE, OWNER, Notify, Webhook
from schema.mailbox import read_sender
from schema.states import RowStatus
from workers.channels.channel import Call, Email, Message
from workers.delivery.known import Known, Tenant, Version
from workers.delivery.prepare import as_before, domain_of, payload_of
from workers.delivery.prepared import Prepared
from workers.delivery.senders import sender_for, tries_for
from workers.delivery.values import Values

#: What a webhook tells of the contact.
CONTACT: Final = ("external_id", "email", "phone", "first_name", "last_name", "timezone")

#: Unless the sequence has a subject for it.
SUBJECT: Final = "{{ sequence.name }}"


#: A machine sends it, and nobody is to answer it (RFC 3834 section 5).
AUTOMATIC: Final = (("Auto-Submitted", "auto-generated"),)


class PrepareOutward:
    """Makes calls and emails out of claimed actions. Used by many threads."""

    def __init__(self, settings: Settings, database: Database, clock: SequenceClock, known: Known) -> None:
        """Prepare to prepare."""
        self._settings = settings
        self._database = database
        self._clock = clock
        self._known = known
        self._renderer = Renderer()
        self._values = Values(settings)

    def __call__(self, row: Claimed, lateness: float, lease_until: float) -> Prepared | Ending:
        """What is to be handed over, or how the row ends without."""
        version = self._known.version(row.version_id)
        tenant = self._known.tenant(row.workspace_id)
        step = version.steps[row.step_key]
        if not isinstance(step, ActionStep):
            raise TypeError(f"step {step.key} is no action")
        tried = self._tried(row)
        try:
            if step.webhook is not None:
                body = tried.payload["body"] if tried else self._body(step.webhook, row, version, tenant)
                call = Call(step.webhook.url, call_key(tenant.public_id, row.id), body, tenant.signing_secrets)
                message: Message = call
                payload = json.dumps({"url": call.to, "key": call.key, "body": body})
            elif step.notify is not None:
                if tried is None:
                    recipient = self._recipient(step.notify, row, version, tenant)
                    email = self._email(step.notify, recipient, row, version, tenant)
                else:
                    email = as_before(tried.payload, tried.recipient)
                message, payload = email, payload_of(email)
            else:
                raise TypeError(f"step {step.key} tells nobody")
        except RenderError as error:
            return Ending(row.id, row.fence, row.channel, RowStatus.FAILED, f"{error.reason}: {error}")
        in_doubt = step.notify is not None and tried is not None and tried.unanswered > 0
        standing = partial(self._standing, row, step, version, tenant, lateness, in_doubt)
        return Prepared(row, message, payload, standing, lease_until)

    def _tried(self, row: Claimed) -> Tried | None:
        """What was said before; only a row that was claimed before can have said anything."""
        if row.fence <= 1:
            return None
        with self._database.transaction(apart=True) as session:
            return first_try(session, row.id)

    def _body(self, webhook: Webhook, row: Claimed, version: Version, tenant: Tenant) -> str:
        render = self._render(row, version, tenant)
        text = document(
            Told(
                key=call_key(tenant.public_id, row.id),
                at=self._clock.now(),
                workspace={"id": tenant.public_id, "key": tenant.key},
                sequence={"key": version.definition.sequence, "version": version.number},
                enrollment_id=row.enrollment_id,
                step=row.step_key,
                contact={name: getattr(row, name) for name in CONTACT},
            ),
            rendered(webhook.body or {}, render),
        )
        if len(text.encode()) > MOST:
            raise RenderError("webhook_too_large", f"the body has more than {MOST:,} bytes")
        return text

    def _email(self, notify: Notify, recipient: str, row: Claimed, version: Version, tenant: Tenant) -> Email:
        render = self._render(row, version, tenant)
        sender = sender_for(version.steps[row.step_key], version.definition, tenant, self._settings)
        return Email(
            to=recipient,
            sender=sender,
            message_id=f"<notify.{row.id}.{tenant.public_id}@{domain_of(sender)}>",
            date=datetime.fromtimestamp(self._clock.real_now(), UTC),
            subject=clean_header(render(notify.subject or SUBJECT)) or version.definition.sequence,
            text=clean_text(render(notify.text)),
            html=None,
            headers=AUTOMATIC,
        )

    def _recipient(self, notify: Notify, row: Claimed, version: Version, tenant: Tenant) -> str:
        """Where the person is written to.

        Raises:
            RenderError: the person is not known by an address; the message says how to mend that.
        """
        if notify.to == ASSIGNEE:
            written = self._render(row, version, tenant)(version.definition.assignee or "").strip()
            mend = "give the sequence an 'assignee' that is an email address"
        elif notify.to == OWNER:
            written = str({**row.attributes, **(row.data or {})}.get(OWNER) or "").strip()
            mend = "set the contact's attribute 'owner' to an email address"
        else:
            return notify.to
        if not written:
            raise RenderError("nobody_to_notify", f"the {notify.to} is not set: {mend}")
        try:
            return read_sender(written).address
        except ValueError:
            raise RenderError("nobody_to_notify", f"the {notify.to} is no email address: {mend}") from None

    def _render(self, row: Claimed, version: Version, tenant: Tenant) -> Callable[[str], str]:
        values: Variables = self._values(row, version, tenant)
        return lambda source: self._renderer.render(source, values)

    def _standing(
        self, row: Claimed, step: ActionStep, version: Version, tenant: Tenant, lateness: float, in_doubt: bool
    ) -> Standing:
        return Standing(
            tries=row.attempts,
            attempts=row.attempted + 1,
            max_tries=tries_for(step, version.definition, tenant),
            lateness=lateness,
            max_lateness=step.max_lateness.total_seconds() if step.if_late == "skip" else inf,
            exit_on=(),
            stop_on_failure=False,
            retry_base=self._settings.retry_seconds,
            asked_to_come_again=row.asked_to_come_again,
            in_doubt=in_doubt,
        )
