"""What the peer sends: the same templates as ours, parsed once by python-liquid."""

from typing import Any, Final

import yaml
from liquid import BoundTemplate, Environment

from deploy.bench.peer.store import Job
from deploy.bench.sequences import ONE_EMAIL, ONE_SMS

_PLAIN: Final = Environment()
_ESCAPED: Final = Environment(autoescape=True)


class Templates:
    """The parsed templates of both channels."""

    def __init__(self) -> None:
        """Parse them."""
        (sms,), (email,) = _steps(ONE_SMS), _steps(ONE_EMAIL)
        self._body = _PLAIN.from_string(sms["body"])
        self._subject = _PLAIN.from_string(email["subject"])
        self._text = _PLAIN.from_string(email["text"])
        self._html = _ESCAPED.from_string(email["html"])

    def sms(self, job: Job) -> str:
        """Return the body of a text message."""
        return _fill(self._body, job)

    def email(self, job: Job) -> tuple[str, str, str]:
        """Return the subject, the text and the HTML of an email."""
        return _fill(self._subject, job), _fill(self._text, job), _fill(self._html, job)


def _fill(template: BoundTemplate, job: Job) -> str:
    return template.render(contact={"first_name": job.first_name}, custom=job.attributes)


def _steps(sequence: str) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = yaml.safe_load(sequence)["steps"]
    return steps
