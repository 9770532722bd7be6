"""From templates and a contact's data to what is handed over."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

from liquid.exceptions import LiquidError, ResourceLimitError

from engine.errors import CadenzaError
from schema.definition import MAX_SMS, EmailStep, SmsStep
from schema.definition.templates import MAX_TEXT, MeteredTemplate, PlainTemplate, TemplateError, line_of, parse_template

Variables: TypeAlias = Mapping[str, Any]

#: The longest line of a header, in characters (RFC 5322 section 2.1.1).
MAX_SUBJECT: Final = 998

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_BREAKS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_NEWLINES: Final = re.compile(r"\r\n?")


class RenderError(CadenzaError):
    """A message can't be made from its template and the contact's data. The text has none of that data."""

    def __init__(self, reason: str, message: str) -> None:
        """Say why, as a code for `outbox.reason` and in words."""
        super().__init__(message)
        self.reason = reason


class Renderer:
    """Renders templates, each parsed once; for many threads at once."""

    def __init__(self, templates: int = 1_000) -> None:
        """Keep that many parsed templates, the last used."""
        self._parsed = lru_cache(maxsize=templates)(_parse)

    def render(self, source: str, variables: Variables, *, html: bool = False) -> str:
        """Render a template; what is missing renders as nothing.

        Raises:
            RenderError: it can't be done with these data, or not within the limits.
        """
        template, plain = self._parsed(source, html)
        text = plain.fill(variables) if plain else None
        if text is None:
            text = self._interpret(template, variables, source)
        if len(text) > MAX_TEXT:
            raise RenderError("template_limit", f"the text is longer than {MAX_TEXT:,} characters")
        return text

    def _interpret(self, template: MeteredTemplate, variables: Variables, source: str) -> str:
        try:
            return template.render(variables)
        except ResourceLimitError as error:
            raise RenderError("template_limit", f"the template does more than it may: {error.message}") from None
        except LiquidError as error:
            where = f" in line {line_of(source, error.token.start_index)}" if error.token else ""
            message = f"the template can't be rendered with these data ({type(error).__name__}{where})"
            raise RenderError("template_error", message) from None
        except Exception as error:  # noqa: BLE001 (filters let anything through, and a template must not end a worker)
            message = f"the template can't be rendered with these data ({type(error).__name__})"
            raise RenderError("template_error", message) from None

    def render_sms(self, step: SmsStep, variables: Variables) -> tuple[str, tuple[str, ...]]:
        """The body and the media URLs of a text message.

        Raises:
            RenderError: it is empty, or more than Twilio takes (its errors 21602 and 21617), or a URL is none.
        """
        body = clean_text(self.render(step.body, variables)).strip()
        if not body:
            raise RenderError("sms_empty", "the SMS is empty")
        if len(body) > MAX_SMS:
            raise RenderError("sms_too_long", f"the SMS has {len(body):,} characters, more than {MAX_SMS:,}")
        return body, tuple([self._url(source, variables) for source in step.media_url])

    def render_email(self, step: EmailStep, variables: Variables) -> tuple[str, str | None, str | None]:
        """The subject, the text and the HTML of an email; a part that comes out empty is None.

        Raises:
            RenderError: the subject is empty or longer than a header line, or both parts are empty.
        """
        subject = clean_header(self.render(step.subject, variables))
        if not subject:
            raise RenderError("subject_empty", "the subject is empty")
        if len(subject) > MAX_SUBJECT:
            raise RenderError("subject_too_long", f"the subject has more than {MAX_SUBJECT} characters")
        text = clean_text(self.render(step.text, variables)) if step.text else ""
        html = clean_text(self.render(step.html, variables, html=True)) if step.html else ""
        if not text.strip() and not html.strip():
            raise RenderError("email_empty", "the email has neither text nor HTML")
        return subject, text if text.strip() else None, html if html.strip() else None

    def _url(self, source: str, variables: Variables) -> str:
        url = self.render(source, variables).strip()
        if not url.isprintable() or " " in url or not _is_web(url):
            raise RenderError("media_url", "a media URL does not come out as an https:// or http:// URL")
        return url


def variables(
    contact: Mapping[str, Any], custom: Mapping[str, Any], sender: Mapping[str, Any], sequence: Mapping[str, Any]
) -> Variables:
    """What templates may name; `contact.full_name` is made of the first and last name."""
    first, last = contact.get("first_name"), contact.get("last_name")
    full_name = f"{first} {last}" if first and last else first or last or ""
    return {"contact": {**contact, "full_name": full_name}, "custom": custom, "sender": sender, "sequence": sequence}


def clean_text(text: str) -> str:
    """Text without control characters but newline and tab; CR LF and CR become newlines."""
    if text.isprintable():
        return text
    return _CONTROL.sub("", _NEWLINES.sub("\n", text))


def clean_header(value: str) -> str:
    """One line: control characters and everything that some reader takes for a line break become a space."""
    if not value.isprintable():
        value = _BREAKS.sub(" ", value)
    return value.strip()


def _parse(source: str, html: bool) -> tuple[MeteredTemplate, PlainTemplate | None]:
    try:
        template = parse_template(source, html=html)
        return template, PlainTemplate.of(template)
    except TemplateError as error:
        raise RenderError("template_error", f"the template doesn't parse: {error}") from None


def _is_web(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)
