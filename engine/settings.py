"""The settings: environment variables `CADENZA_*`, also from `.env`; read once, in main, and passed down."""

import re
from pathlib import Path
from typing import Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from engine.errors import InvalidInput
from engine.rules.addresses import Opening, parse_openings

PREFIX = "CADENZA_"

#: What has to be set for each channel.
REQUIRED_BY_CHANNEL: Final = {
    "sms": "CADENZA_TWILIO_ACCOUNT_SID, CADENZA_TWILIO_AUTH_TOKEN and CADENZA_TWILIO_FROM"
    " (or CADENZA_TWILIO_MESSAGING_SERVICE_SID)",
    "email": "CADENZA_SMTP_URL and CADENZA_EMAIL_FROM",
}

#: No blanks, and nothing but ASCII: a URL is signed character for character.
_PLAIN: Final = re.compile(r"[!-~]+").fullmatch


class Settings(BaseSettings):
    """What is in force for this process. All durations are real seconds."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    database_url: SecretStr | None = Field(None, description="postgresql://...; unset: the embedded server")
    redis_url: SecretStr | None = Field(
        None, description="redis://..., rediss://, redis+sentinel://, redis+cluster://; unset: the embedded server"
    )
    data_dir: Path = Field(Path(".cadenza"), description="where the embedded servers keep their data")

    twilio_account_sid: str | None = None
    twilio_auth_token: SecretStr | None = None
    twilio_from: str | None = None
    twilio_messaging_service_sid: str | None = None
    twilio_api_url: str | None = Field(None, description="base URL of the API, for a sandbox or a proxy")
    smtp_url: SecretStr | None = Field(
        None, description="smtp://user:password@host:port, smtps://, ?starttls=true; unset: the sandbox"
    )
    email_from: str = "Cadenza <cadenza@example.com>"
    smtp_guarantee: Literal["at_most_once", "at_least_once"] = "at_most_once"
    public_url: str | None = Field(None, description="where Twilio reaches `cadenza api`")

    lease_seconds: float = Field(60, gt=0, le=3600)
    sweep_seconds: float = Field(15, gt=0, le=3600)
    reconcile_grace_seconds: float = Field(
        600, ge=0, le=86_400, description="from no answer to the first look-up; 3 at most after HTTP 500 or 503"
    )
    reconcile_interval_seconds: float = Field(60, gt=0, le=86_400, description="between two look-ups of a message")
    provider_timeout_seconds: float = Field(15, gt=0, le=600)
    retry_seconds: float = Field(5, gt=0, le=900, description="the wait after a first refusal for now")
    in_flight: int = Field(64, ge=1, le=4096, description="messages handed over at the same time by a worker process")

    webhook_allow: str = Field(
        "", description="addresses that webhooks may be sent to though they are not public: HOST:PORT or a network, ..."
    )

    api_host: str = "127.0.0.1"
    api_port: int = Field(8000, ge=0, le=65535)
    metrics_host: str = "127.0.0.1"
    metrics_port: int = Field(9191, ge=0, le=65535)
    workspace: str = "default"
    environment: Literal["development", "production"] = "development"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("public_url")
    @classmethod
    def _public(cls, value: str | None) -> str | None:
        """Providers call it with a path of ours behind it."""
        if value is None:
            return None
        try:
            parts = urlsplit(value)
            readable = bool(parts.hostname) and parts.port != 0
        except ValueError:
            readable = False
        if not readable or parts.scheme not in ("http", "https") or parts.query or parts.fragment or not _PLAIN(value):
            raise ValueError("write https://host, with a port or a path if need be, and nothing behind it")
        return value

    @field_validator("webhook_allow")
    @classmethod
    def _openings(cls, value: str) -> str:
        parse_openings(value)
        return value

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.twilio_account_sid and not self.twilio_auth_token:
            raise ValueError("CADENZA_TWILIO_AUTH_TOKEN is missing beside CADENZA_TWILIO_ACCOUNT_SID")
        if self.twilio_account_sid and not (self.twilio_from or self.twilio_messaging_service_sid):
            raise ValueError("CADENZA_TWILIO_FROM or CADENZA_TWILIO_MESSAGING_SERVICE_SID is missing")
        if self.environment == "production":
            if self.webhook_openings:
                raise ValueError("CADENZA_WEBHOOK_ALLOW is for tests and development: it is refused in production")
            missing = [PREFIX + name.upper() for name in ("database_url", "redis_url") if getattr(self, name) is None]
            if missing:
                raise ValueError(f"CADENZA_ENVIRONMENT is production, so these must be set: {', '.join(missing)}")
        return self

    @property
    def configured_channels(self) -> frozenset[str]:
        """The channels that have a provider; the others hold what they are given."""
        found = {"sms": self.twilio_account_sid, "email": self.smtp_url}
        return frozenset(channel for channel, provider in found.items() if provider is not None)

    @property
    def webhook_openings(self) -> tuple[Opening, ...]:
        """The addresses that `webhook_allow` opens."""
        return parse_openings(self.webhook_allow)

    @property
    def provider_timeout(self) -> float:
        """How long to wait for a provider, in seconds: never more than half the lease."""
        return min(self.provider_timeout_seconds, self.lease_seconds / 2)


def read_settings() -> Settings:
    """Read the settings of this process.

    Raises:
        InvalidInput: a variable has a value that can't be used; the message names it.
    """
    try:
        return Settings()
    except ValidationError as error:
        problems = [
            (f"{PREFIX + str(problem['loc'][0]).upper()}: " if problem["loc"] else "")
            + problem["msg"].removeprefix("Value error, ")
            for problem in error.errors(include_input=False)
        ]
        raise InvalidInput("invalid settings: " + "; ".join(problems)) from None
