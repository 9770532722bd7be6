"""Ask Twilio whether it knows a message: by recipient, then by date, direction and body.

Listing filters by To, From and DateSent only, and a queued message has no DateSent; so all to the recipient are
read, newest first, down to the start of the attempt (twilio.com/docs/messaging/api/message-resource).
"""

from datetime import datetime, timedelta
from typing import Final

from twilio.base.exceptions import TwilioException
from twilio.rest.api.v2010.account.message import MessageList
from urllib3.exceptions import HTTPError

from engine.rules.answers import masked
from engine.rules.doubt import Sighting
from workers.channels.channel import LookUpFailed, Sms
from workers.channels.sms.http import TwilioHttp

#: How much earlier than ours Twilio's clock may say that the message was made.
CLOCKS_APART: Final = timedelta(seconds=5)

#: Twilio's largest page, and the most messages that are read for one look-up.
PAGE, MOST = 1_000, 5_000

#: HTTP statuses after which asking again makes no sense.
FOR_GOOD: Final = (400, 403, 404)


def look_up(messages: MessageList, http: TwilioHttp, sms: Sms, since: datetime) -> Sighting:
    """What Twilio knows of a message that was handed over at `since` (UTC) or later.

    Raises:
        LookUpFailed: it can't be asked, now or at all.
    """
    same: list[str] = []
    unclear = 0
    try:
        for message in messages.stream(to=sms.to, page_size=PAGE, limit=MOST):
            made = message.date_created
            if made is None or str(message.direction) != "outbound-api":
                continue
            if made < since - CLOCKS_APART:
                break
            if message.body == sms.body and message.sid is not None:
                same.append(message.sid)
            elif not message.body:
                unclear += 1  # the account discards contents (ContentRetention), or they were redacted
    except (TwilioException, HTTPError, OSError, ValueError) as error:
        says = f"answer {http.status}" if http.status else f"no answer: {type(error).__name__}"
        raise LookUpFailed(masked(says), for_good=http.status in FOR_GOOD) from None
    return Sighting(tuple(same), unclear)
