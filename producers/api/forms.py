"""What Twilio's forms say."""

from collections.abc import Mapping
from typing import Final, TypeAlias

from engine.errors import InvalidInput
from engine.rules.token import read
from producers.api.errors import Forbidden
from producers.delivery_reports import DeliveryReport
from producers.inbound import InboundMessage
from producers.tenants import Tenant

Form: TypeAlias = Mapping[str, str]

#: Nothing of these is worth keeping.
LEFT_OUT: Final = frozenset({"AccountSid", "ApiVersion"})


def report_of(form: Form, tenant: Tenant, token: str | None) -> DeliveryReport:
    """Return a status callback's report.

    Raises:
        Forbidden: the token is not one of this workspace.
        InvalidInput: a field is missing.
    """
    attempt = None if token is None else read(tenant.webhook_secret, token)
    if token is not None and attempt is None:
        raise Forbidden("its token is not one of this workspace")
    payload = _plain(form)
    payload.pop("Body", None)
    return DeliveryReport(
        provider_id=_field(form, "MessageSid", "SmsSid"),
        status=_field(form, "MessageStatus", "SmsStatus").lower(),
        error_code=form.get("ErrorCode") or None,
        recipient=form.get("To", ""),
        attempt=attempt,
        payload=payload,
    )


def message_of(form: Form) -> InboundMessage:
    """Return an inbound message.

    Raises:
        InvalidInput: a field is missing.
    """
    return InboundMessage(
        provider_id=_field(form, "MessageSid", "SmsSid", "SmsMessageSid"),
        sender=_field(form, "From"),
        body=form.get("Body", ""),
        opt_out_type=form.get("OptOutType") or None,
        payload=_plain(form),
    )


def _field(form: Form, *names: str) -> str:
    """Return the first of these fields that there is."""
    for name in names:
        if value := form.get(name, "").replace("\0", ""):
            return value
    raise InvalidInput(f"the form has no {names[0]}")


def _plain(form: Form) -> dict[str, str]:
    """Return the fields as they can be kept: Postgres takes no NUL."""
    return {
        name.replace("\0", "\ufffd"): value.replace("\0", "\ufffd")
        for name, value in form.items()
        if name not in LEFT_OUT
    }
