"""Settings that point to a running sandbox where nothing else is configured."""

from pydantic import SecretStr

from deploy.sandbox.options import SENDER
from deploy.sandbox.state import Sandbox
from engine.settings import Settings


def with_sandbox(settings: Settings, sandbox: Sandbox) -> Settings:
    """The settings, with the sandbox in place of a provider that is unset.

    Twilio is taken as a whole: with an account of one's own nothing of it is changed, so that real credentials never
    reach the sandbox, nor a real message the sandbox's account.
    """
    found: dict[str, object] = {}
    if settings.twilio_account_sid is None:
        found["twilio_account_sid"] = sandbox.account_sid
        found["twilio_auth_token"] = SecretStr(sandbox.auth_token)
        found["twilio_api_url"] = sandbox.http_url
        if settings.twilio_from is None and settings.twilio_messaging_service_sid is None:
            found["twilio_from"] = SENDER
    if settings.smtp_url is None:
        found["smtp_url"] = SecretStr(sandbox.smtp_url)
    return settings.model_copy(update=found)
