"""The settings, and what is said of bad ones."""

import pytest
from pydantic import SecretStr

from engine.errors import InvalidInput
from engine.settings import Settings, read_settings


def test_the_defaults_need_nothing() -> None:
    settings = read_settings()
    assert settings.database_url is None
    assert (settings.lease_seconds, settings.sweep_seconds) == (60, 15)
    assert (settings.api_host, settings.metrics_host) == ("127.0.0.1", "127.0.0.1")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("CADENZA_LEASE_SECONDS", "soon"),
        ("CADENZA_SWEEP_SECONDS", "0"),
        ("CADENZA_METRICS_PORT", "99999"),
        ("CADENZA_ENVIRONMENT", "staging"),
        ("CADENZA_SMTP_GUARANTEE", "exactly_once"),
        ("CADENZA_PUBLIC_URL", "hooks.example.com"),
        ("CADENZA_PUBLIC_URL", "ftp://hooks.example.com"),
        ("CADENZA_PUBLIC_URL", "https://"),
        ("CADENZA_PUBLIC_URL", "https://hooks.example.com/?key=1"),
        ("CADENZA_PUBLIC_URL", "https://hooks.example.com/#top"),
        ("CADENZA_PUBLIC_URL", "https://hooks.example.com:port/"),
        ("CADENZA_PUBLIC_URL", "https://hooks.example.com/with blanks"),
    ],
)
def test_a_bad_value_is_named(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(InvalidInput, match=variable):
        read_settings()


@pytest.mark.parametrize("url", ["https://a.example.com", "http://127.0.0.1:8000/", "https://[::1]:1/a/b%20c"])
def test_a_public_url_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("CADENZA_PUBLIC_URL", url)
    assert read_settings().public_url == url


def test_production_falls_back_to_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CADENZA_ENVIRONMENT", "production")
    with pytest.raises(InvalidInput, match=r"set: CADENZA_DATABASE_URL, CADENZA_REDIS_URL$"):
        read_settings()
    monkeypatch.setenv("CADENZA_DATABASE_URL", "postgresql://h/d")
    monkeypatch.setenv("CADENZA_REDIS_URL", "redis://h")
    assert read_settings().configured_channels == frozenset()
    monkeypatch.setenv("CADENZA_SMTP_URL", "smtp://h")
    assert read_settings().configured_channels == {"email"}


def test_half_an_account_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CADENZA_TWILIO_ACCOUNT_SID", "AC" + "0" * 32)
    with pytest.raises(InvalidInput, match="CADENZA_TWILIO_AUTH_TOKEN"):
        read_settings()


def test_the_time_out_is_never_more_than_half_the_lease() -> None:
    assert Settings(_env_file=None).provider_timeout == 15
    assert Settings(_env_file=None, lease_seconds=8).provider_timeout == 4


def test_secrets_do_not_show() -> None:
    settings = Settings(_env_file=None, database_url=SecretStr("postgresql://u:secret@h/d"))
    assert "secret" not in repr(settings)
