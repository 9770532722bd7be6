"""Whether the webhooks of a sequence may be called, as far as their URLs tell."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from engine.errors import InvalidInput
from engine.rules.addresses import Opening, is_open, literal, refusal
from schema.definition import ActionStep, Definition


def check_webhooks(definition: Definition, openings: Sequence[Opening]) -> None:
    """Refuse addresses that are not public, and URLs that are not encrypted, unless somebody has opened them.

    What a name stands for is looked at when it is called.

    Raises:
        InvalidInput: a webhook would never be called; the message has a line for each.
    """
    problems = [
        f"{definition.sequence}: {step.key}: {problem}"
        for step in definition.walk()
        if isinstance(step, ActionStep)
        and step.webhook is not None
        and (problem := _problem(step.webhook.url, openings)) is not None
    ]
    if problems:
        raise InvalidInput("\n".join(problems))


def _problem(url: str, openings: Sequence[Opening]) -> str | None:
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    address = literal(host)
    if address is not None:
        if is_open(host, address, port, openings):
            return None
        if (kind := refusal(address)) is not None:
            return f"webhooks are not sent to {host}: it is {kind} (CADENZA_WEBHOOK_ALLOW opens it for development)"
    if parts.scheme != "https" and not openings:
        return f"the webhook to {host} is not encrypted: write https://"
    return None
