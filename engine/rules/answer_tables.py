"""What the answers of Twilio and of SMTP servers mean, as data. `answers.py` looks them up.

An error code is Twilio's to change: a new one is a line here.
"""

from typing import Final, NamedTuple

from schema.states import AttemptOutcome

REFUSED: Final = AttemptOutcome.REFUSED
DEFERRED: Final = AttemptOutcome.DEFERRED
HELD: Final = AttemptOutcome.HELD
UNANSWERED: Final = AttemptOutcome.UNANSWERED

#: Reasons for which a recipient must not be contacted on the channel again.
UNSUBSCRIBED: Final = "unsubscribed"
BOUNCED: Final = "bounced"
UNDELIVERABLE: Final = "undeliverable"
"""Nothing can be delivered to the number on this channel."""


class Meaning(NamedTuple):
    """What one answer means. `source` says where that is written down."""

    code: str
    outcome: AttemptOutcome
    note: str
    source: str
    suppress: str | None = None
    pauses: bool = False
    """Every other message of the account would be refused too, to whomever: the channel pauses."""


def _twilio(outcome: AttemptOutcome, code: int, note: str, suppress: str | None = None) -> Meaning:
    return Meaning(str(code), outcome, note, f"twilio.com/docs/api/errors/{code}", suppress)


def _account(code: int, note: str) -> Meaning:
    return Meaning(str(code), HELD, note, f"twilio.com/docs/api/errors/{code}", pauses=True)


#: Twilio's error codes on `POST Messages`. About the recipient or the message: refused. About the account or
#: the sender: held, since nothing is wrong with the message and an operator can mend it. Others: see TWILIO_STATUS.
TWILIO_CODES: Final = (
    # The recipient.
    _twilio(REFUSED, 21211, "invalid 'To' phone number", UNDELIVERABLE),
    _twilio(REFUSED, 21214, "'To' phone number cannot be reached"),
    _twilio(REFUSED, 21217, "phone number does not appear to be valid", UNDELIVERABLE),
    _twilio(REFUSED, 21265, "'To' number cannot be a short code"),
    _twilio(REFUSED, 21266, "'To' and 'From' numbers cannot be the same"),
    _twilio(REFUSED, 21268, "premium rate or information service number", UNDELIVERABLE),
    _twilio(REFUSED, 21604, "a 'To' phone number is required"),
    _twilio(REFUSED, 21610, "the recipient has unsubscribed from this sender", UNSUBSCRIBED),
    _twilio(REFUSED, 21612, "cannot be sent with this combination of 'To' and 'From'"),
    _twilio(REFUSED, 21614, "'To' number is not a valid mobile number", UNDELIVERABLE),
    _twilio(REFUSED, 21635, "'To' number cannot be a landline", UNDELIVERABLE),
    _twilio(REFUSED, 21910, "'From' and 'To' should be of the same channel"),
    # The message.
    _twilio(REFUSED, 21602, "a message body is required"),
    _twilio(REFUSED, 21605, "maximum body length is 160 characters (old API)"),
    _twilio(REFUSED, 21617, "the message body exceeds 1600 characters"),
    _twilio(REFUSED, 21618, "the message body cannot be sent"),
    _twilio(REFUSED, 21619, "a message body or media URL is required"),
    _twilio(REFUSED, 21620, "invalid media URL"),
    _twilio(REFUSED, 21623, "more media files than allowed"),
    # The credentials and the account.
    _account(10001, "account is not active"),
    _twilio(HELD, 10002, "trial accounts do not support this"),
    _account(20003, "permission denied: the credentials are wrong"),
    _account(20005, "account not active"),
    _account(20006, "access denied"),
    _account(20008, "test credentials"),
    _account(20010, "action disabled for account"),
    _account(20403, "forbidden: the account is suspended or closed"),
    _account(20404, "not found: the account SID or the API URL is wrong"),
    _twilio(HELD, 21408, "permissions disabled for the destination region"),
    _account(21470, "invalid account SID"),
    _account(21471, "account does not exist"),
    _account(21472, "account is not active"),
    _twilio(HELD, 21608, "trial account: 'To' is not yet verified"),
    _twilio(HELD, 21622, "MMS has not been enabled for the account"),
    _account(30002, "account suspended"),
    # The sender.
    _account(21212, "invalid 'From' number"),
    _twilio(HELD, 21267, "alphanumeric sender ID on a trial account"),
    _account(21601, "'From' is not an SMS-capable number of the account"),
    _account(21603, "a 'From' or 'MessagingServiceSid' is required"),
    _account(21606, "'From' is not a message-capable number of this account"),
    _account(21607, "'From' must be the sandbox number on trial accounts"),
    _twilio(HELD, 21609, "invalid 'StatusCallback'"),
    _twilio(HELD, 21616, "'From' matches several numbers of the account"),
    _twilio(HELD, 21621, "'From' has not been enabled for MMS"),
    _twilio(HELD, 21657, "the sender ID is invalid"),
    _twilio(HELD, 21659, "'From' is not a Twilio number, or short code country mismatch"),
    _account(21660, "'From' belongs to another account"),
    _account(21661, "'From' is not SMS-capable"),
    _twilio(HELD, 21663, "'From' routing configuration is incorrect"),
    _account(21701, "the Messaging Service does not exist"),
    _account(21702, "the Messaging Service is not available to send"),
    _twilio(HELD, 21703, "the Messaging Service has no number available"),
    _account(21704, "the Messaging Service contains no numbers"),
    _account(21705, "the Messaging Service is invalid"),
    _twilio(HELD, 30034, "the sender is not registered (US A2P 10DLC)"),
    # Slow down.
    _twilio(HELD, 14107, "send rate limit exceeded"),
    _twilio(HELD, 20429, "too many requests: not processed, safe to retry"),
    _twilio(HELD, 30022, "US A2P 10DLC rate limits exceeded"),
    _twilio(HELD, 60728, "account exceeded its hourly limit"),
    _twilio(HELD, 63017, "rate limit exceeded"),
    _twilio(HELD, 63038, "account exceeded its daily limit"),
    # Passing.
    _twilio(DEFERRED, 20409, "conflict"),
    _twilio(DEFERRED, 21611, "the queue of this 'From' number is full"),
    _twilio(DEFERRED, 30001, "queue overflow"),
)

#: By HTTP status, where no code above says more. Other 3xx and 4xx: refused; all else: unanswered.
TWILIO_STATUS: Final = (
    Meaning("301", HELD, "redirected: CADENZA_TWILIO_API_URL is wrong", "RFC 9110 section 15.4.2", pauses=True),
    Meaning("302", HELD, "redirected: CADENZA_TWILIO_API_URL is wrong", "RFC 9110 section 15.4.3", pauses=True),
    Meaning("307", HELD, "redirected: CADENZA_TWILIO_API_URL is wrong", "RFC 9110 section 15.4.8", pauses=True),
    Meaning("308", HELD, "redirected: CADENZA_TWILIO_API_URL is wrong", "RFC 9110 section 15.4.9", pauses=True),
    Meaning("401", HELD, "the credentials are wrong", "RFC 9110 section 15.5.2", pauses=True),
    Meaning("402", HELD, "payment required", "RFC 9110 section 15.5.3", pauses=True),
    Meaning("403", HELD, "forbidden", "RFC 9110 section 15.5.4"),
    Meaning("404", HELD, "not found: the account SID or the API URL is wrong", "RFC 9110 section 15.5.5", pauses=True),
    Meaning("405", HELD, "CADENZA_TWILIO_API_URL is not a Twilio API", "RFC 9110 section 15.5.6", pauses=True),
    Meaning("407", HELD, "the proxy wants credentials", "RFC 9110 section 15.5.8", pauses=True),
    Meaning("425", HELD, "too early", "RFC 8470 section 5.2"),
)

#: These mean the same whatever the body says.
TWILIO_STATUS_ALWAYS: Final = (
    Meaning("303", UNANSWERED, "the result is elsewhere", "RFC 9110 section 15.4.4"),
    Meaning("408", UNANSWERED, "the server gave up reading; it may have read all", "RFC 9110 section 15.5.9"),
    Meaning("429", HELD, "not processed, safe to retry", "twilio.com/docs/api/errors/20429"),
)

#: Refusals of the sender: nothing is wrong with the recipient, and every other message would be refused too.
_GMAIL: Final = "support.google.com/a/answer/3726730"
_OUTLOOK: Final = "learn.microsoft.com/exchange/mail-flow-best-practices/non-delivery-reports-in-exchange-online"
SENDER_REFUSED: Final = (
    ("5.7.20", "no passing DKIM signature", "RFC 7372 section 3.1"),
    ("5.7.21", "no acceptable DKIM signature", "RFC 7372 section 3.1"),
    ("5.7.22", "no valid author-matched DKIM signature", "RFC 7372 section 3.1"),
    ("5.7.23", "SPF validation failed", "RFC 7372 section 3.2"),
    ("5.7.24", "SPF validation error", "RFC 7372 section 3.2"),
    ("5.7.25", "the sending IP has no matching reverse DNS", "RFC 7372 section 3.3"),
    ("5.7.26", "unauthenticated: neither SPF nor DKIM passes, or DMARC fails", f"RFC 7372 section 3.4; {_GMAIL}"),
    ("5.7.27", "SPF does not pass", _GMAIL),
    ("5.7.29", "no TLS connection", _GMAIL),
    ("5.7.30", "DKIM does not pass", _GMAIL),
    ("5.7.32", "the From header is not aligned with SPF or DKIM", _GMAIL),
    ("5.7.40", "the sending domain has no DMARC record or policy", _GMAIL),
    ("5.7.509", "the sending domain does not pass DMARC verification", _OUTLOOK),
    ("5.7.511", "the sender is banned", _OUTLOOK),
    ("5.7.515", "the sending domain does not meet the required authentication level", _OUTLOOK),
    ("5.7.705", "the tenant has exceeded its threshold", _OUTLOOK),
    ("5.7.708", "traffic from this IP is not accepted", _OUTLOOK),
    *((f"5.7.{number}", "the sending IP is banned", _OUTLOOK) for number in range(606, 650)),
)

#: What a 5.7.1 says that is about the sender: RFC 3463 leaves that code for all refusals by policy.
SENDER_WORDS: Final = ("dmarc", "spf", "dkim", "unauthenticated", "sender policy framework")

#: SMTP's enhanced status codes (x.y.z or x.y). `bounced` only for what can't become a mailbox again.
SMTP_ENHANCED: Final = (
    Meaning("5.1.1", REFUSED, "no such mailbox", "RFC 3463 section 3.2", BOUNCED),
    Meaning("5.1.2", REFUSED, "no such mail domain", "RFC 3463 section 3.2", BOUNCED),
    Meaning("5.1.3", REFUSED, "not a mailbox address", "RFC 3463 section 3.2", BOUNCED),
    Meaning("5.1.6", REFUSED, "the mailbox has moved", "RFC 3463 section 3.2", BOUNCED),
    Meaning("5.1.10", REFUSED, "the domain accepts no mail (null MX)", "RFC 7505 section 4.2", BOUNCED),
    Meaning("5.3.4", REFUSED, "message too big", "RFC 3463 section 3.4"),
    Meaning("5.7.8", HELD, "the credentials are wrong", "RFC 4954 section 6", pauses=True),
    Meaning("5.7.9", HELD, "the authentication mechanism is too weak", "RFC 4954 section 6", pauses=True),
    Meaning("5.7.10", HELD, "encryption needed", "RFC 5248 section 2.4"),
    Meaning("5.7.11", HELD, "encryption required for the authentication mechanism", "RFC 4954 section 6", pauses=True),
    Meaning("5.7.13", HELD, "the user account is disabled", "RFC 5248 section 2.4", pauses=True),
    *(Meaning(code, HELD, note, source, pauses=True) for code, note, source in SENDER_REFUSED),
    Meaning("4.2.1", HELD, "the mailbox takes no messages for now", "support.google.com/a/answer/3726730"),
    Meaning("4.3.1", HELD, "mail system full", "RFC 3463 section 3.4"),
    Meaning("4.3.2", HELD, "the system is not accepting messages", "RFC 3463 section 3.4"),
    Meaning("4.4.5", HELD, "mail system congestion", "RFC 3463 section 3.5"),
    Meaning("4.7", HELD, "security or policy: slow down", "RFC 3463 section 3.8; DESIGN.md section 9"),
)

#: SMTP's reply codes, where no enhanced code says more. Other 4xx: deferred; other 5xx: refused.
SMTP_REPLIES: Final = (
    Meaning("432", HELD, "a password transition is needed", "RFC 4954 section 6"),
    Meaning("454", HELD, "temporary authentication or TLS failure", "RFC 4954 section 6"),
    Meaning("530", HELD, "authentication or TLS required", "RFC 4954 section 6; RFC 3207 section 4", pauses=True),
    Meaning("534", HELD, "the authentication mechanism is too weak", "RFC 4954 section 6", pauses=True),
    Meaning("535", HELD, "the credentials are wrong", "RFC 4954 section 6", pauses=True),
    Meaning("538", HELD, "encryption required for the authentication mechanism", "RFC 4954 section 6", pauses=True),
    Meaning("552", REFUSED, "message too big or storage exceeded", "RFC 5321 section 4.2.2; RFC 1870 section 6"),
)

#: Enhanced codes x.y.z, without the x, of a server that is short of room or time: it is tried again at the usual pace.
SMTP_OWN_PACE: Final = frozenset(("2.1", "3.1", "3.2", "4.5"))

#: Words by which servers say "slow down" in a 4xx without saying it in its code.
SMTP_SLOW_DOWN: Final = (
    "greylist",
    "graylist",
    "rate limit",
    "ratelimit",
    "slow down",
    "throttl",
    "too many connections",
    "too many messages",
    "too quickly",
)

#: Twilio's error codes of messages that it accepted and could not deliver, as far as they are about the number. Codes
#: of TWILIO_CODES may come as late, and suppress then too. Codes about the message, the sender or the carrier (30007
#: filtered, 30008 unknown, 30034 not registered) suppress nobody.
TWILIO_UNDELIVERED: Final = (
    _twilio(REFUSED, 30005, "unknown destination: the number does not exist any more", UNDELIVERABLE),
    _twilio(REFUSED, 30006, "landline or unreachable carrier", UNDELIVERABLE),
)

#: The same, of numbers that may be reachable again: switched off, or out of reach.
TWILIO_UNREACHABLE: Final = (_twilio(REFUSED, 30003, "unreachable destination: switched off or out of service"),)
