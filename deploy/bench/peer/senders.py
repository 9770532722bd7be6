"""How the peer hands over: twilio-python and smtplib, with one client and one connection for each thread."""

import smtplib
from email.message import EmailMessage
from email.utils import formatdate
from threading import local
from typing import Final

import requests
from tenacity import retry, retry_if_exception, stop_after_attempt, wait_random_exponential
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from deploy.bench.peer.place import Place
from deploy.bench.peer.store import Job
from deploy.bench.peer.templates import Templates
from deploy.sandbox.options import SENDER

TIMEOUT: Final = 15.0
TOO_MANY: Final = 429
TRIES: Final = 3


def may_be_tried_again(error: BaseException) -> bool:
    """Whether the provider has not taken the message, and may take it later."""
    if isinstance(error, TwilioRestException):
        return error.status == TOO_MANY or error.status >= 500
    if isinstance(error, smtplib.SMTPResponseException):
        return 400 <= error.smtp_code < 500
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(400 <= code < 500 for code, _ in error.recipients.values())
    return isinstance(error, (requests.ConnectionError, smtplib.SMTPConnectError, smtplib.SMTPServerDisconnected))


persistently = retry(
    stop=stop_after_attempt(TRIES),
    wait=wait_random_exponential(multiplier=0.5, max=10),
    retry=retry_if_exception(may_be_tried_again),
    reraise=True,
)


class Sms:
    """Sends text messages."""

    def __init__(self, place: Place, templates: Templates) -> None:
        """Prepare; a thread makes its client when it first sends."""
        self._place = place
        self._templates = templates
        self._mine = local()

    @persistently
    def send(self, job: Job) -> str:
        """Send one, and return its SID."""
        message = self._client().messages.create(to=job.phone, from_=SENDER, body=self._templates.sms(job))
        return str(message.sid)

    def _client(self) -> Client:
        if not hasattr(self._mine, "client"):
            http = TwilioHttpClient(timeout=TIMEOUT)
            account, token = self._place.account_sid, self._place.auth_token
            client = Client(account, token, http_client=http)  # type: ignore[no-untyped-call]
            client.api.base_url = self._place.twilio_url
            self._mine.client = client
        found: Client = self._mine.client
        return found


class Email:
    """Sends email."""

    def __init__(self, place: Place, templates: Templates) -> None:
        """Prepare; a thread connects when it first sends."""
        self._place = place
        self._templates = templates
        self._mine = local()

    @persistently
    def send(self, job: Job) -> str:
        """Send one, and return its Message-ID. A connection that failed is not used again."""
        message = self._message(job)
        try:
            self._connection().send_message(message)
        except (OSError, smtplib.SMTPException):
            self._drop()
            raise
        return str(message["Message-ID"])

    def _message(self, job: Job) -> EmailMessage:
        subject, text, html = self._templates.email(job)
        message = EmailMessage()
        message["From"] = "Cadenza <cadenza@example.com>"
        message["To"] = job.email
        message["Subject"] = subject
        message["Date"] = formatdate()
        message["Message-ID"] = f"<{job.row}.peer@example.com>"
        message.set_content(text)
        message.add_alternative(html, subtype="html")
        return message

    def _connection(self) -> smtplib.SMTP:
        if not hasattr(self._mine, "connection"):
            self._mine.connection = smtplib.SMTP(self._place.smtp_host, self._place.smtp_port, timeout=TIMEOUT)
        found: smtplib.SMTP = self._mine.connection
        return found

    def _drop(self) -> None:
        if hasattr(self._mine, "connection"):
            self._mine.connection.close()
            del self._mine.connection
