"""What is in force for a row's message: the step's word, else its sequence's, else the workspace's, else the settings'.

The step and the sequence are those of the enrollment's version; the workspace and the settings are read at hand-over.
"""

from engine.rules.senders import sender_of
from engine.settings import Settings
from schema.definition import AnyStep, Definition, EmailStep, MessageStep
from schema.definition.senders import Guarantee
from workers.delivery.known import Tenant


def sender_for(step: AnyStep, definition: Definition, tenant: Tenant, settings: Settings) -> str:
    """Return the mailbox that a step's email is from."""
    return sender_of(
        (step.sender, step.sender_name) if isinstance(step, EmailStep) else (None, None),
        (definition.sender, definition.sender_name),
        (tenant.email_from, tenant.sender_name),
        (settings.email_from, None),
    )


def tries_for(step: AnyStep, definition: Definition, tenant: Tenant) -> int:
    """Return how many answers "not now" a step's message may get."""
    own = step.max_tries if isinstance(step, MessageStep) else None
    return own or definition.max_tries or tenant.max_tries


def guarantee_for(step: AnyStep | None, definition: Definition, tenant: Tenant, settings: Settings) -> Guarantee:
    """Return what becomes of a step's email whose end nobody answered; None: the version has that step no more."""
    own = step.guarantee if isinstance(step, EmailStep) else None
    return own or definition.guarantee or tenant.smtp_guarantee or settings.smtp_guarantee
