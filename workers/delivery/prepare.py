"""Prepare a claimed row: check what the claim could not, render the message, or tell why it does not go out."""

import json
from datetime import UTC, datetime
from functools import lru_cache, partial
from math import inf
from typing import Any

from engine.clock import SequenceClock
from engine.outbox.claim import Claimed
from engine.outbox.postpone import Postponed
from engine.outbox.settle import Ending
from engine.rules.ending import IN_DOUBT, Standing
from engine.rules.rendering import Renderer, RenderError
from engine.rules.token import status_callback_url
from engine.settings import Settings
from schema.definition import AnyStep, EmailStep, MessageStep, SmsStep
from schema.definition.templates.check import UNSUBSCRIBE_URL
from schema.mailbox import read_sender
from schema.states import RowStatus
from workers.channels.channel import Email, Message, Sms
from workers.delivery.email_headers import addresses_of, headers_of, unsubscribe_by
from workers.delivery.hours import OpeningHours
from workers.delivery.known import Known, Tenant, Version
from workers.delivery.prepared import Prepared
from workers.delivery.senders import sender_for, tries_for
from workers.delivery.values import Values


class Prepare:
    """Makes messages out of claimed rows. Used by many threads."""

    def __init__(self, settings: Settings, clock: SequenceClock, known: Known) -> None:
        """Prepare to prepare."""
        self._settings = settings
        self._clock = clock
        self._known = known
        self._hours = OpeningHours(clock)
        self._renderer = Renderer()
        self._values = Values(settings)

    def __call__(self, row: Claimed, lateness: float, lease_until: float) -> Prepared | Ending | Postponed:
        """A message ready to go, or how the row ends without one, or when it goes out instead.

        `lateness` is in real seconds since it fell due.
        """
        version = self._known.version(row.version_id)
        tenant = self._known.tenant(row.workspace_id)
        step = _message_of(version.steps[row.step_key])
        if row.suppressed is not None:
            return _skip(row, f"suppressed: {row.suppressed}")
        if row.recipient is None:
            return _skip(row, "the contact has no phone" if row.channel == "sms" else "the contact has no email")
        later = self._hours.look(row, step, version, tenant, lateness)
        if later is not None:
            return _skip(row, later) if isinstance(later, str) else later
        try:
            message: Message
            if row.frozen is not None:
                message, payload = as_before(row.frozen, row.email or ""), json.dumps(row.frozen)
            else:
                message, payload = self._message(row, step, version, tenant)
        except RenderError as error:
            return Ending(row.id, row.fence, row.channel, RowStatus.FAILED, f"{error.reason}: {error}")
        standing = partial(self._standing, row, step, version, tenant, lateness)
        return Prepared(row, message, payload, standing, lease_until)

    def _message(self, row: Claimed, step: MessageStep, version: Version, tenant: Tenant) -> tuple[Message, str]:
        values = self._values(row, version, tenant)
        match step:
            case SmsStep():
                body, media_urls = self._renderer.render_sms(step, values)
                sms = Sms(row.phone or "", body, media_urls, self._callback(row, tenant))
                return (
                    sms,
                    f'{{"body": {json.dumps(body)}, "media_urls": {json.dumps(media_urls) if media_urls else "[]"}}}',
                )
            case EmailStep():
                sender = sender_for(step, version.definition, tenant, self._settings)
                leave = unsubscribe_by(self._settings.public_url, tenant, row, sender)
                values = {**values, UNSUBSCRIBE_URL: leave.url}
                subject, text, html = self._renderer.render_email(step, values)
                reply_to, copies = addresses_of(step, version.definition, tenant, self._renderer, values)
                email = Email(
                    to=row.email or "",
                    sender=sender,
                    message_id=message_id(tenant.public_id, row.id, sender),
                    subject=subject,
                    text=text,
                    html=html,
                    date=datetime.fromtimestamp(self._clock.real_now(), UTC),
                    reply_to=reply_to,
                    cc=copies,
                    headers=headers_of(step, version, tenant),
                    list_unsubscribe=() if step.transactional else leave.uris,
                    one_click=leave.one_click and not step.transactional,
                )
                return email, payload_of(email)
            case _:
                raise TypeError(f"step {step.key} is a message of no known type")

    def _callback(self, row: Claimed, tenant: Tenant) -> str | None:
        public_url = self._settings.public_url
        if public_url is None:
            return None
        return status_callback_url(public_url, tenant.public_id, tenant.webhook_secret, row.id, row.fence)

    def _standing(self, row: Claimed, step: MessageStep, version: Version, tenant: Tenant, lateness: float) -> Standing:
        return Standing(
            tries=row.attempts,
            attempts=row.attempted + 1,
            max_tries=tries_for(step, version.definition, tenant),
            lateness=lateness,
            max_lateness=step.max_lateness.total_seconds() if step.if_late == "skip" else inf,
            exit_on=version.definition.exit_on,
            stop_on_failure=step.stop_on_failure,
            retry_base=self._settings.retry_seconds,
            asked_to_come_again=row.asked_to_come_again,
            in_doubt=row.frozen is not None,
        )


def _message_of(step: AnyStep) -> MessageStep:
    if not isinstance(step, MessageStep):
        raise TypeError(f"step {step.key} is no message")
    return step


def payload_of(email: Email) -> str:
    """What is kept of an email on its attempt."""
    return json.dumps(
        {
            "sender": email.sender,
            "message_id": email.message_id,
            "date": email.date.isoformat(),
            "subject": email.subject,
            "text": email.text,
            "html": email.html,
            **{name: value for name, value in _headers(email).items() if value},
        }
    )


def _headers(email: Email) -> dict[str, Any]:
    """Return what not every email has."""
    return {
        "reply_to": email.reply_to,
        "cc": email.cc,
        "headers": email.headers,
        "list_unsubscribe": email.list_unsubscribe,
        "one_click": email.one_click,
    }


def as_before(payload: dict[str, Any], recipient: str) -> Email:
    """The email of an earlier attempt, byte for byte."""
    return Email(
        to=recipient,
        sender=payload["sender"],
        message_id=payload["message_id"],
        date=datetime.fromisoformat(payload["date"]),
        subject=payload["subject"],
        text=payload["text"],
        html=payload["html"],
        reply_to=payload.get("reply_to"),
        cc=tuple(payload.get("cc", ())),
        headers=tuple((name, value) for name, value in payload.get("headers", ())),
        list_unsubscribe=tuple(payload.get("list_unsubscribe", ())),
        one_click=payload.get("one_click", False),
    )


def message_id(workspace: str, row_id: int, sender: str) -> str:
    """The Message-ID of a row: the same at every try, and no other row's (RFC 5322 section 3.6.4)."""
    return f"<{row_id}.{workspace}@{domain_of(sender)}>"


@lru_cache(maxsize=256)
def domain_of(sender: str) -> str:
    """The domain of a sender's address."""
    return read_sender(sender).address.rpartition("@")[2]


def _skip(row: Claimed, reason: str) -> Ending:
    if row.frozen is not None:
        return Ending(row.id, row.fence, row.channel, RowStatus.REVIEW, f"{reason}; {IN_DOUBT}")
    return Ending(row.id, row.fence, row.channel, RowStatus.SKIPPED, reason)
