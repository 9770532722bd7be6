"""What faults do on the way to a server, and what providers do: as data."""

from enum import StrEnum
from typing import Any, Final

from deploy.chaos.kinds import SLOW_SECONDS, Kind
from deploy.sandbox.fault import FaultSpec
from deploy.sandbox.fault import Kind as Sandbox
from deploy.sandbox.fault import Stage as At


class Wire(StrEnum):
    """What happens on the way to a server."""

    CUT = "cut"
    RESET = "reset"
    STALL = "stall"
    REFUSE = "refuse"


#: On the way to whom, and what.
NETWORK: Final[dict[Kind, tuple[str, Wire]]] = {
    Kind.REDIS_CUT: ("redis", Wire.CUT),
    Kind.REDIS_RESET: ("redis", Wire.RESET),
    Kind.REDIS_STALLED: ("redis", Wire.STALL),
    Kind.REDIS_REFUSED: ("redis", Wire.REFUSE),
    Kind.POSTGRES_CUT: ("postgres", Wire.CUT),
    Kind.POSTGRES_RESET: ("postgres", Wire.RESET),
    Kind.POSTGRES_STALLED: ("postgres", Wire.STALL),
    Kind.POSTGRES_REFUSED: ("postgres", Wire.REFUSE),
    Kind.SMS_CUT: ("sms", Wire.CUT),
    Kind.SMS_RESET: ("sms", Wire.RESET),
    Kind.SMS_STALLED: ("sms", Wire.STALL),
    Kind.SMS_REFUSED: ("sms", Wire.REFUSE),
    Kind.EMAIL_CUT: ("email", Wire.CUT),
    Kind.EMAIL_STALLED: ("email", Wire.STALL),
    Kind.EMAIL_REFUSED: ("email", Wire.REFUSE),
    Kind.CALLBACKS_LOST: ("callbacks", Wire.REFUSE),
    Kind.CALLBACKS_STALLED: ("callbacks", Wire.STALL),
}

#: What the sandbox providers do.
PROVIDERS: Final[dict[Kind, FaultSpec]] = {
    Kind.SMS_SLOW: FaultSpec(channel="sms", kind=Sandbox.LATENCY, stage=At.REQUEST, seconds=SLOW_SECONDS),
    Kind.SMS_429: FaultSpec(channel="sms", kind=Sandbox.REPLY, stage=At.REQUEST, status=429, retry_after=1),
    Kind.SMS_500_BEFORE: FaultSpec(channel="sms", kind=Sandbox.REPLY, stage=At.REQUEST, status=500),
    Kind.SMS_500_AFTER: FaultSpec(channel="sms", kind=Sandbox.REPLY, stage=At.ACCEPTED, status=500),
    Kind.SMS_SILENT_BEFORE: FaultSpec(channel="sms", kind=Sandbox.SILENCE, stage=At.REQUEST),
    Kind.SMS_SILENT_AFTER: FaultSpec(channel="sms", kind=Sandbox.SILENCE, stage=At.ACCEPTED),
    Kind.SMS_RESET_AFTER: FaultSpec(channel="sms", kind=Sandbox.RESET, stage=At.ACCEPTED),
    Kind.LOOK_UP_500: FaultSpec(channel="sms", kind=Sandbox.REPLY, stage=At.LOOKUP, status=500),
    Kind.EMAIL_SLOW: FaultSpec(channel="email", kind=Sandbox.LATENCY, stage=At.DOT, seconds=SLOW_SECONDS),
    Kind.EMAIL_451: FaultSpec(channel="email", kind=Sandbox.REPLY, stage=At.RCPT, code=451),
    Kind.EMAIL_DROP_BEFORE: FaultSpec(channel="email", kind=Sandbox.DROP, stage=At.BODY),
    Kind.EMAIL_DROP_AFTER: FaultSpec(channel="email", kind=Sandbox.DROP, stage=At.ACCEPTED),
    Kind.EMAIL_DROP_UNTAKEN: FaultSpec(channel="email", kind=Sandbox.DROP, stage=At.DOT),
    Kind.EMAIL_SILENT_AFTER: FaultSpec(channel="email", kind=Sandbox.SILENCE, stage=At.ACCEPTED),
}

#: How status callbacks misbehave.
HABITS: Final[dict[Kind, dict[str, Any]]] = {
    Kind.CALLBACKS_REORDERED: {"reorder": True},
    Kind.CALLBACKS_REPEATED: {"repeat": 3},
    Kind.CALLBACKS_FORGED: {"forge": True, "reorder": True},
}

#: The command with which a process promotes wake-ups; how a transaction ends.
PROMOTION, COMMIT = b"EVALSHA", b"COMMIT"
