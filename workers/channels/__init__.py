"""The channels: each hands a message over to its provider and tells how that ended."""

from engine.settings import Settings
from workers.channels.channel import Channel
from workers.channels.email.channel import EmailChannel
from workers.channels.missing import MissingChannel
from workers.channels.sms.channel import SmsChannel


def open_channels(settings: Settings) -> dict[str, Channel]:
    """Return the channels by the type of step that they send; those that are not configured hold what they are given.

    Nothing is connected yet.

    Raises:
        InvalidInput: the settings of a channel can't be used.
    """
    configured = settings.configured_channels
    return {
        "sms": SmsChannel.open(settings) if "sms" in configured else MissingChannel("sms"),
        "email": EmailChannel.open(settings) if "email" in configured else MissingChannel("email"),
    }
