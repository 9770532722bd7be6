"""The channels: each hands a message over to its provider and tells how that ended."""

from engine.settings import Settings
from workers.channels.channel import Channel
from workers.channels.email.channel import EmailChannel
from workers.channels.sms.channel import SmsChannel


def open_channels(settings: Settings) -> dict[str, Channel]:
    """The channels that the settings describe, by the type of step that they send. Nothing is connected yet.

    Raises:
        InvalidInput: the settings of a channel are missing or can't be used.
    """
    return {"sms": SmsChannel.open(settings), "email": EmailChannel.open(settings)}
