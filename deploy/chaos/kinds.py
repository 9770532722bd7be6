"""The kinds of faults, and how each happens: where, for how long."""

from enum import StrEnum
from typing import Final, NamedTuple

#: Real seconds for which a process is stopped at most (SIGSTOP). What is promised ends where a stop outlasts the rest
#: of the lease and the grace time: two acceptances are possible then (scenario 7 of the fault tests shows it). The
#: settings of the storm leave room (deploy/chaos/storm.py), and no stop follows closely on another.
LONGEST_STOP: Final = 2.5
REST_AFTER_STOP: Final = 6.0

#: Real seconds by which a provider is slow: it accepts late, and always before its message is looked up.
SLOW_SECONDS: Final = 1.3


class Kind(StrEnum):
    """What happens, as the report names it."""

    WORKER_KILLED = "worker process killed"
    WORKER_STOPPED = "worker process stopped"
    SUPERVISOR_KILLED = "supervisor killed"
    SUPERVISOR_STOPPED = "supervisor stopped"
    MACHINE_LOST = "supervisor and all its processes killed"
    API_KILLED = "API killed"
    REDIS_FLUSHED = "Redis flushed"
    REDIS_KILLED = "Redis killed"
    REDIS_CUT = "connections to Redis cut"
    REDIS_RESET = "connections to Redis reset"
    REDIS_STALLED = "Redis stalled"
    REDIS_REFUSED = "Redis refused"
    REDIS_REPLY_LOST = "reply to a promotion lost"
    POSTGRES_RESTARTED = "Postgres restarted (immediate)"
    POSTGRES_CUT = "connections to Postgres cut"
    POSTGRES_RESET = "connections to Postgres reset"
    POSTGRES_STALLED = "Postgres stalled"
    POSTGRES_REFUSED = "Postgres refused"
    COMMIT_REPLY_LOST = "reply to a COMMIT lost"
    SMS_CUT = "connections to Twilio cut"
    SMS_RESET = "connections to Twilio reset"
    SMS_STALLED = "Twilio stalled"
    SMS_REFUSED = "Twilio refused"
    SMS_SLOW = "Twilio slow"
    SMS_429 = "Twilio 429"
    SMS_500_BEFORE = "Twilio 500, not accepted"
    SMS_500_AFTER = "Twilio 500, accepted"
    SMS_SILENT_BEFORE = "Twilio silent, not accepted"
    SMS_SILENT_AFTER = "Twilio silent, accepted"
    SMS_RESET_AFTER = "Twilio reset, accepted"
    LOOK_UP_500 = "Twilio 500 to look-ups"
    EMAIL_CUT = "connections to SMTP cut"
    EMAIL_STALLED = "SMTP stalled"
    EMAIL_REFUSED = "SMTP refused"
    EMAIL_SLOW = "SMTP slow"
    EMAIL_451 = "SMTP 451"
    EMAIL_DROP_BEFORE = "SMTP drop before the final dot"
    EMAIL_DROP_AFTER = "SMTP drop after the final dot, accepted"
    EMAIL_DROP_UNTAKEN = "SMTP drop after the final dot, not accepted"
    EMAIL_SILENT_AFTER = "SMTP silent after the final dot, accepted"
    CALLBACKS_REORDERED = "callbacks reordered"
    CALLBACKS_REPEATED = "callbacks repeated"
    CALLBACKS_FORGED = "callbacks forged"
    CALLBACKS_LOST = "callbacks lost"
    CALLBACKS_STALLED = "callbacks stalled"


class Habit(NamedTuple):
    """How a kind of fault happens."""

    place: str
    """Where: no two faults of a place overlap."""
    shortest: float = 0.0
    """Real seconds; a fault of 0 seconds is over at once."""
    longest: float = 0.0
    rest: float = 0.0
    """Real seconds of peace for its place afterwards."""


HABITS: Final[dict[Kind, Habit]] = {
    Kind.WORKER_KILLED: Habit("worker process"),
    Kind.WORKER_STOPPED: Habit("stopped process", 0.5, LONGEST_STOP, REST_AFTER_STOP),
    Kind.SUPERVISOR_KILLED: Habit("machine", 0.5, 2.0, 3.0),
    Kind.SUPERVISOR_STOPPED: Habit("machine", 0.5, LONGEST_STOP, 1.0),
    Kind.MACHINE_LOST: Habit("machine", 0.5, 2.0, 3.0),
    Kind.API_KILLED: Habit("API", 0.2, 1.5, 3.0),
    Kind.REDIS_FLUSHED: Habit("Redis"),
    Kind.REDIS_KILLED: Habit("Redis", 0.0, 0.0, 2.0),
    Kind.REDIS_CUT: Habit("way to Redis"),
    Kind.REDIS_RESET: Habit("way to Redis"),
    Kind.REDIS_STALLED: Habit("way to Redis", 0.5, 3.0),
    Kind.REDIS_REFUSED: Habit("way to Redis", 0.5, 3.0),
    Kind.REDIS_REPLY_LOST: Habit("way to Redis"),
    Kind.POSTGRES_RESTARTED: Habit("Postgres", 0.0, 0.0, 3.0),
    Kind.POSTGRES_CUT: Habit("way to Postgres"),
    Kind.POSTGRES_RESET: Habit("way to Postgres"),
    Kind.POSTGRES_STALLED: Habit("way to Postgres", 0.3, 2.5),
    Kind.POSTGRES_REFUSED: Habit("way to Postgres", 0.3, 2.5),
    Kind.COMMIT_REPLY_LOST: Habit("way to Postgres"),
    Kind.SMS_CUT: Habit("way to Twilio"),
    Kind.SMS_RESET: Habit("way to Twilio"),
    Kind.SMS_STALLED: Habit("way to Twilio", 0.5, 2.0),
    Kind.SMS_REFUSED: Habit("way to Twilio", 0.5, 2.0),
    Kind.SMS_SLOW: Habit("Twilio", 0.5, 2.0),
    Kind.SMS_429: Habit("Twilio", 0.5, 2.0),
    Kind.SMS_500_BEFORE: Habit("Twilio", 0.5, 2.0),
    Kind.SMS_500_AFTER: Habit("Twilio", 0.5, 2.0),
    Kind.SMS_SILENT_BEFORE: Habit("Twilio", 0.5, 2.0),
    Kind.SMS_SILENT_AFTER: Habit("Twilio", 0.5, 2.0),
    Kind.SMS_RESET_AFTER: Habit("Twilio", 0.5, 2.0),
    Kind.LOOK_UP_500: Habit("Twilio's list", 0.5, 3.0),
    Kind.EMAIL_CUT: Habit("way to SMTP"),
    Kind.EMAIL_STALLED: Habit("way to SMTP", 0.5, 2.0),
    Kind.EMAIL_REFUSED: Habit("way to SMTP", 0.5, 2.0),
    Kind.EMAIL_SLOW: Habit("SMTP", 0.5, 2.0),
    Kind.EMAIL_451: Habit("SMTP", 0.5, 2.0),
    Kind.EMAIL_DROP_BEFORE: Habit("SMTP", 0.5, 2.0),
    Kind.EMAIL_DROP_AFTER: Habit("SMTP", 0.5, 2.0),
    Kind.EMAIL_DROP_UNTAKEN: Habit("SMTP", 0.5, 2.0),
    Kind.EMAIL_SILENT_AFTER: Habit("SMTP", 0.5, 2.0),
    Kind.CALLBACKS_REORDERED: Habit("callbacks", 1.0, 4.0),
    Kind.CALLBACKS_REPEATED: Habit("callbacks", 1.0, 4.0),
    Kind.CALLBACKS_FORGED: Habit("callbacks", 1.0, 4.0),
    Kind.CALLBACKS_LOST: Habit("way of the callbacks", 0.5, 3.0),
    Kind.CALLBACKS_STALLED: Habit("way of the callbacks", 0.5, 3.0),
}
