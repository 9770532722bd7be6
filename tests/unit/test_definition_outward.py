"""Actions that tell somebody, in sequence files."""

import json

import pytest

from engine.errors import InvalidInput
from engine.rules.addresses import parse_openings
from engine.settings import Settings, read_settings
from producers.webhook_check import check_webhooks
from schema.definition import ActionStep, Definition, InvalidDefinition, json_schema, parse


def one(action: str) -> Definition:
    return parse(f"sequence: a\nsteps:\n  - {{key: tell, type: action, {action}}}\n")


def problem(action: str) -> str:
    with pytest.raises(InvalidDefinition) as caught:
        one(action)
    return str(caught.value)


def test_a_webhook_keeps_its_data() -> None:
    definition = one(
        "webhook: {url: 'https://example.com/hook',"
        " body: {a: 1, b: 1.5, c: yes, d: '5', e: [x, 2], f: 0x1F, g: 2026-01-01}}"
    )
    (step,) = definition.steps
    assert isinstance(step, ActionStep)
    assert step.webhook is not None
    assert step.webhook.body == {"a": 1, "b": 1.5, "c": True, "d": "5", "e": ["x", 2], "f": "0x1F", "g": "2026-01-01"}
    restored = Definition.restore(json.loads(json.dumps(definition.canonical())))
    assert restored == definition
    assert restored.digest() == definition.digest()


def test_a_notification_names_somebody() -> None:
    for to in ("assignee", "owner", "maria@example.com"):
        (step,) = one(f"notify: {{to: {to}, text: 'Call {{{{ contact.first_name }}}}'}}").steps
        assert isinstance(step, ActionStep)
        assert step.notify is not None
        assert step.notify.to == to


def test_other_actions_are_published_as_before() -> None:
    """Nothing that was published becomes a new version by there being more actions."""
    assert "webhook" not in one("tag: friend").canonical()["steps"][0]
    assert "notify" not in one("tag: friend").canonical()["steps"][0]


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("webhook: {url: 'ftp://example.com'}", "a URL starts with https://"),
        ("webhook: {url: 'https://{{ custom.host }}/'}", "a URL here is no template"),
        ("webhook: {url: 'https://me:secret@example.com/'}", "a URL has no user, password or #"),
        ("webhook: {url: 'https://example.com:port/'}", "a URL starts with https://"),
        ("webhook: {url: 'https:///x'}", "a URL starts with https://"),
        ("webhook: {body: {a: b}}", "'url' is missing"),
        ("webhook: {url: 'https://example.com', headers: {}}", "unknown key 'headers'"),
        ("webhook: 'https://example.com'", "'webhook' can't be"),
        ("webhook: {url: 'https://example.com', body: [a]}", "'body' can't be a list"),
        ("webhook: {url: 'https://example.com', body: {a: [{b: '{{ contact.nam }}'}]}}", "webhook.body.a.b"),
        ("notify: {to: maria, text: Hi}", "'maria' can't be written to: expected assignee, owner, or an email address"),
        ("notify: {to: 'Maria <maria@example.com>', text: Hi}", "can't be written to"),
        ("notify: {to: 'maria@localhost', text: Hi}", "can't be written to"),
        ("notify: {to: assignee}", "'text' is missing"),
        ("notify: {to: assignee, text: '{{ contact.nam }}'}", "'text': "),
        ("notify: {to: assignee, text: Hi}, tag: x", "an action does one thing, not 'tag' and 'notify'"),
    ],
)
def test_what_is_wrong_is_told(action: str, expected: str) -> None:
    assert expected in problem(action)


def test_the_json_schema_knows_them() -> None:
    text = json.dumps(json_schema())
    assert '"Webhook"' in text
    assert '"Notify"' in text


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/",
        "https://10.0.0.1:8443/",
        "https://[::1]/",
        "https://[::ffff:192.168.0.1]/",
        "https://169.254.169.254/latest",
        "http://example.com/",
    ],
)
def test_literal_addresses_and_unencrypted_urls_are_refused_when_applied(url: str) -> None:
    with pytest.raises(InvalidInput, match="tell"):
        check_webhooks(one(f"webhook: {{url: '{url}'}}"), ())


def test_what_is_opened_is_applied() -> None:
    check_webhooks(one("webhook: {url: 'https://example.com/'}"), ())
    check_webhooks(one("webhook: {url: 'http://127.0.0.1:9000/'}"), parse_openings("127.0.0.1:9000"))
    with pytest.raises(InvalidInput, match="CADENZA_WEBHOOK_ALLOW"):
        check_webhooks(one("webhook: {url: 'http://127.0.0.1:9001/'}"), parse_openings("127.0.0.1:9000"))


def test_nothing_is_opened_in_production() -> None:
    production = {
        "environment": "production",
        "database_url": "postgresql://a/b",
        "redis_url": "redis://a",
        "twilio_account_sid": "AC1",
        "twilio_auth_token": "t",
        "twilio_from": "+12025550100",
        "smtp_url": "smtp://a",
    }
    Settings.model_validate(production)
    with pytest.raises(ValueError, match="CADENZA_WEBHOOK_ALLOW"):
        Settings.model_validate({**production, "webhook_allow": "127.0.0.0/8"})


def test_an_opening_that_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CADENZA_WEBHOOK_ALLOW", "everything")
    with pytest.raises(InvalidInput, match="CADENZA_WEBHOOK_ALLOW"):
        read_settings()
