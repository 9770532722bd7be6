"""The answers with which Twilio refuses a request, by its own codes (twilio.com/docs/api/errors)."""

from typing import Any, Final

from deploy.sandbox.fault import TOLD_TO_FAIL

MORE_INFO = "https://www.twilio.com/docs/errors/{}"

#: Code -> HTTP status and message.
ERRORS: Final[dict[int, tuple[int, str]]] = {
    20001: (400, "Invalid parameter: {}"),
    20003: (401, "Authenticate"),
    20404: (404, "The requested resource {} was not found"),
    20429: (429, "Too Many Requests"),
    20500: (500, "An internal server error has occurred"),
    20503: (503, "Service unavailable"),
    21211: (400, "Invalid 'To' Phone Number: {}"),
    21212: (400, "Invalid From Number (caller ID): {}"),
    21408: (400, "Permission to send an SMS has not been enabled for the region indicated by the 'To' number: {}"),
    21602: (400, "Message body is required."),
    21603: (400, "A 'From' phone number is required."),
    21604: (400, "A 'To' phone number is required."),
    21606: (400, "The 'From' phone number provided ({}) is not a valid message-capable Twilio phone number."),
    21609: (400, "The 'StatusCallback' URL {} is not a valid URL: the sandbox calls loopback addresses only."),
    21610: (400, "Attempt to send to unsubscribed recipient"),
    21611: (429, "This 'From' number {} has exceeded the maximum number of queued messages"),
    21612: (400, "The 'To' phone number: {}, is not currently reachable via SMS."),
    21614: (400, "'To' number is not a valid mobile number: {}"),
    21617: (400, "The concatenated message body exceeds the 1600 character limit"),
    21620: (400, "Invalid media URL(s)"),
    21623: (400, "Number of media files exceeds allowed limit of 10"),
    21701: (400, "The Messaging Service {} does not exist"),
}

#: The code that goes with an HTTP status when none is given.
CODE_OF_STATUS: Final = {401: 20003, 404: 20404, 429: 20429, 503: 20503}


class TwilioError(Exception):
    """A request is refused with a code of Twilio's."""

    def __init__(self, code: int, about: str = "") -> None:
        """Take the code, and what the message speaks of."""
        self.status, message = ERRORS[code]
        self.code = code
        super().__init__(message.format(about))

    def to_json(self) -> dict[str, Any]:
        """The body of the answer."""
        return error_body(self.status, self.code, str(self))


def error_body(status: int, code: int, message: str | None = None) -> dict[str, Any]:
    """The body of a refusal, also with a status or a code that Twilio would not put together."""
    text = message if message is not None else ERRORS.get(code, (status, TOLD_TO_FAIL))[1].format("")
    return {"code": code, "message": text, "more_info": MORE_INFO.format(code), "status": status}
