"""What SMTP replies mean, by the stage of the conversation."""

from collections import Counter
from typing import get_args

import pytest

from engine.rules.answer_tables import SMTP_ENHANCED, SMTP_REPLIES
from engine.rules.answers import Stage, smtp_outcome
from schema.states import AttemptOutcome

ACCEPTED, REFUSED, DEFERRED, HELD, UNANSWERED = (
    AttemptOutcome.ACCEPTED,
    AttemptOutcome.REFUSED,
    AttemptOutcome.DEFERRED,
    AttemptOutcome.HELD,
    AttemptOutcome.UNANSWERED,
)


@pytest.mark.parametrize(
    ("code", "text", "stage", "pauses"),
    [
        (535, "5.7.8 credentials invalid", "connect", True),
        (535, "credentials invalid", "login", True),
        (550, "5.7.8 log in again", "mail", True),
        (454, "4.7.0 temporary authentication failure", "login", False),
        (421, "too many connections", "connect", False),
        (550, "5.1.1 no such user", "rcpt", False),
        (535, "", "dot", True),
        (250, "", "dot", False),
        # The sender, not the recipient.
        (550, "5.7.515 Access denied, sending domain EXAMPLE.COM does not meet the required level", "dot", True),
        (550, "5.7.26 Your email has been blocked because the sender is unauthenticated", "dot", True),
        (550, "5.7.606 Access denied, banned sending IP", "rcpt", True),
        (550, "5.7.649 Access denied, banned sending IP", "rcpt", True),
        (550, "5.7.1 Unauthenticated email from example.com is not accepted due to domain's DMARC policy", "dot", True),
        (554, "5.7.1 SPF check failed", "rcpt", True),
        (550, "5.7.1 Message rejected as spam", "dot", False),
        # What is the recipient's own is not about the sender.
        (550, "5.7.1 <spfeiffer@example.com>: Recipient address rejected", "rcpt", False),
        (550, "5.7.1 <ann@spfabrik.example> relaying denied", "rcpt", False),
        (550, "5.7.1 <ann@dmarc.example>: Recipient address rejected", "rcpt", False),
        (550, "5.7.1 mailbox of Spfeiffer is closed", "rcpt", False),
        (550, "5.7.1 Recipient not authorized, your IP has been found on a block list", "rcpt", False),
    ],
)
def test_what_would_refuse_every_message_pauses_the_channel(code: int, text: str, stage: Stage, pauses: bool) -> None:
    assert smtp_outcome(code, text, stage).pauses is pauses


@pytest.mark.parametrize(
    ("code", "text", "stage", "outcome", "suppress"),
    [
        (250, "2.0.0 Ok: queued", "dot", ACCEPTED, None),
        (251, "will forward", "dot", ACCEPTED, None),
        # No connection, no credentials: nothing is wrong with the message.
        (554, "5.3.2 no SMTP service here", "connect", HELD, None),
        (550, "5.7.1 blocked", "connect", HELD, None),
        (421, "too many connections", "connect", HELD, None),
        (535, "5.7.8 credentials invalid", "login", HELD, None),
        (454, "4.7.0 temporary authentication failure", "login", HELD, None),
        (530, "5.7.0 Must issue a STARTTLS command first", "mail", HELD, None),
        (535, "credentials expired", "mail", HELD, None),
        (550, "5.7.8 log in again", "mail", HELD, None),
        # Slow down.
        (421, "4.3.2 the service closes", "mail", HELD, None),
        (421, "", "dot", HELD, None),
        (450, "4.7.1 greylisted", "rcpt", HELD, None),
        (451, "4.7.650 too much mail", "dot", HELD, None),
        (450, "4.2.1 receiving mail too quickly", "rcpt", HELD, None),
        (452, "4.3.1 insufficient system storage", "mail", HELD, None),
        (451, "4.4.5 server busy", "data", HELD, None),
        (450, "Greylisted, come back in 5 minutes", "rcpt", HELD, None),
        (451, "4.0.0 Rate limit exceeded", "dot", HELD, None),
        (452, "Too many messages", "mail", HELD, None),
        # Come again.
        (450, "4.2.0 mailbox busy", "rcpt", HELD, None),
        (451, "local error", "dot", HELD, None),
        (450, "4.1.1 not known yet", "rcpt", HELD, None),
        # An answer for now.
        (452, "4.2.2 mailbox full", "rcpt", DEFERRED, None),
        (442, "4.1.1 not known yet", "rcpt", DEFERRED, None),
        # For good.
        (550, "5.1.1 no such user", "rcpt", REFUSED, "bounced"),
        (550, "5.1.1\nno such user", "rcpt", REFUSED, "bounced"),
        (550, "5.1.1 no such user", "dot", REFUSED, "bounced"),
        (553, "5.1.2 no such domain", "rcpt", REFUSED, "bounced"),
        (550, "5.1.3 bad address", "rcpt", REFUSED, "bounced"),
        (551, "5.1.6 has moved", "rcpt", REFUSED, "bounced"),
        (556, "5.1.10 null MX", "rcpt", REFUSED, "bounced"),
        (550, "4.1.1 the reply code has the say", "rcpt", REFUSED, "bounced"),
        (450, "5.1.1 the reply code has the say", "rcpt", HELD, None),
        (550, "5.1.1 the sender is unknown", "mail", REFUSED, None),
        (550, "5.1.8 bad sender", "mail", REFUSED, None),
        (550, "mailbox unavailable", "rcpt", REFUSED, None),
        (550, "5.7.1 relaying denied", "rcpt", REFUSED, None),
        (552, "5.3.4 message too big", "mail", REFUSED, None),
        (552, "storage exceeded", "dot", REFUSED, None),
        (552, "5.2.2 mailbox full", "rcpt", REFUSED, None),
        (554, "5.6.0 content rejected", "dot", REFUSED, None),
        (550, "5.1.10.3 no enhanced code", "rcpt", REFUSED, None),
        (554, "5.7.1 too many messages", "dot", REFUSED, None),
        # What is no reply settles nothing after the dot, and means nothing before.
        (-1, "", "dot", UNANSWERED, None),
        (354, "go on", "dot", UNANSWERED, None),
        (100, "what", "dot", UNANSWERED, None),
        (999, "what", "dot", UNANSWERED, None),
        (-1, "", "mail", HELD, None),
        (250, "what", "data", HELD, None),
    ],
)
def test_replies(code: int, text: str, stage: Stage, outcome: AttemptOutcome, suppress: str | None) -> None:
    told = smtp_outcome(code, text, stage)
    assert (told.outcome, told.suppress) == (outcome, suppress)


@pytest.mark.parametrize(
    ("code", "text", "stage", "come_again"),
    [
        (451, "4.7.1 greylisted, try again", "rcpt", True),
        (450, "4.2.0 Greylisted, see http://postgrey.schweikert.ch", "rcpt", True),
        (451, "try again in five minutes", "mail", True),
        (421, "4.7.0 try again later", "rcpt", True),
        (421, "", "dot", True),
        (451, "4.3.0 could not be queued", "dot", True),
        # The connection or the server, not this message.
        (421, "4.7.0 too many messages on this connection", "mail", False),
        (421, "greylisted", "connect", False),
        (421, "4.3.2 the service closes", "rcpt", False),
        (450, "4.2.1 receiving mail too quickly", "rcpt", False),
        (452, "4.2.2 mailbox full", "rcpt", False),
        (550, "greylisted for good", "rcpt", False),
        (250, "", "dot", False),
    ],
)
def test_greylisting_asks_to_come_again(code: int, text: str, stage: Stage, come_again: bool) -> None:
    assert smtp_outcome(code, text, stage).come_again is come_again


def test_the_reply_code_is_kept_and_the_enhanced_one_is_told() -> None:
    told = smtp_outcome(550, "5.1.1 <ann@example.com>: 5551234567 is no mailbox", "rcpt")
    assert told.error_code == "550"
    assert told.detail == "5.1.1 <<address>>: <number> is no mailbox"
    assert smtp_outcome(-1, "", "mail").error_code is None
    assert smtp_outcome(250, "ok", "dot").error_code is None


def test_no_reply_but_a_good_one_after_the_dot_is_an_acceptance() -> None:
    for stage in get_args(Stage):
        for code in range(-1, 1000):
            accepted = smtp_outcome(code, "", stage).outcome is AttemptOutcome.ACCEPTED
            assert accepted == (stage == "dot" and 200 <= code < 300)


def test_before_the_dot_nothing_is_in_doubt() -> None:
    for stage in get_args(Stage):
        for code in range(-1, 1000):
            in_doubt = smtp_outcome(code, "", stage).outcome is AttemptOutcome.UNANSWERED
            assert not in_doubt or stage == "dot"


def test_every_meaning_is_there_once_and_says_its_source() -> None:
    for table in (SMTP_ENHANCED, SMTP_REPLIES):
        assert max(Counter(meaning.code for meaning in table).values()) == 1
        for meaning in table:
            assert meaning.note
            assert meaning.source


@pytest.mark.parametrize("code", [meaning.code for meaning in SMTP_ENHANCED if meaning.pauses])
def test_no_refusal_of_the_sender_suppresses_the_recipient(code: str) -> None:
    for stage in ("rcpt", "dot"):
        outcome = smtp_outcome(550, f"{code} no", stage)
        assert (outcome.outcome, outcome.suppress) == (HELD, None)
