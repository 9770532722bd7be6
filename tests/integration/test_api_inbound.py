"""Inbound messages: what they do to suppressions, enrollments and rows, from the socket to the tables."""

from collections.abc import Iterator
from threading import Thread

import pytest
from twilio_side import TwilioSide, api, with_twilio
from world import World

from engine.settings import Settings
from producers.enroll_event import EnrollEvent, write
from producers.workspaces import change

ANA = "+12025550101"
BEN = "+12025550102"

REPLY_ENDS = """
sequence: ends-on-reply
exit_on: [replied]
steps:
  - {key: first, type: sms, body: "Hi"}
  - {key: second, type: sms, delay: 1 day, body: "Hi again"}
"""


@pytest.fixture
def twilio(settings: Settings, world: World) -> Iterator[TwilioSide]:
    ((public_id,),) = world.query("SELECT public_id FROM workspaces")
    with api(with_twilio(settings), public_id) as twilio:
        yield twilio


def suppressions(world: World) -> list[tuple[str, str, str]]:
    return world.query("SELECT channel, address, reason FROM suppressions ORDER BY id")


def enrollments(world: World) -> list[tuple[str, str | None]]:
    return world.query("SELECT status, exit_reason FROM enrollments ORDER BY id")


def events(world: World) -> list[str]:
    return [status for (status,) in world.query("SELECT status FROM events WHERE kind = 'inbound' ORDER BY id")]


@pytest.mark.parametrize("body", ["STOP", "Please stop texting me!", "take me off your list"])
def test_stop_suppresses_and_ends_everything(twilio: TwilioSide, world: World, body: str) -> None:
    world.publish(REPLY_ENDS)
    world.enroll(phone=ANA)
    world.enroll("ends-on-reply", phone=ANA, email="user1@example.com")
    world.execute("UPDATE enrollments SET status = 'paused', paused_at = now() WHERE id = 2")
    world.execute("UPDATE outbox SET status = 'waiting', due_at = NULL WHERE id = 3")
    world.enroll(phone=BEN)
    answer = twilio.inbound(ANA, body)
    assert (answer.status, answer.body) == (200, '<?xml version="1.0" encoding="UTF-8"?><Response />')
    assert suppressions(world) == [("sms", ANA, "stop")]
    assert enrollments(world) == [("cancelled", "unsubscribed"), ("cancelled", "unsubscribed"), ("active", None)]
    assert world.rows("status, reason, fence") == [("cancelled", "unsubscribed", 1)] * 5 + [("pending", None, 0)] * 3
    assert events(world) == ["stop"]


@pytest.mark.parametrize(
    "body",
    [
        *("STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"),
        *("ARRET", "arr\u00eat", "Arre\u0302t, merci !", "UNSUBSCRIBE ALL", "unsubscribe all, thank you"),
        *(
            "\u0421\u0422\u041e\u041f",
            "\u0441\u0442\u043e\u043f, \u043f\u043e\u0436\u0430\u043b\u0443\u0439\u0441\u0442\u0430",
            "BAJA por favor",
            "Sair.",
            "AFMELDEN aub",
        ),
        *(
            "\u05d4\u05e1\u05e8",
            "\u05d4\u05e1\u05e8 \u05ea\u05d5\u05d3\u05d4",
            "\u9000\u8ba2",
            "\u8acb\u9000\u8a02\u3002",
        ),
        "opt-aus, bitte!",
    ],
)
def test_a_word_of_any_language_is_a_stop_on_its_way_through_the_socket(
    twilio: TwilioSide, world: World, body: str
) -> None:
    with world.database.transaction() as session:
        change(session, "default", opt_out_words=["Opt-Aus"])
    world.enroll(phone=ANA)
    assert twilio.inbound(ANA, body).status == 200
    assert suppressions(world) == [("sms", ANA, "stop")]
    assert enrollments(world) == [("cancelled", "unsubscribed")]


def test_what_was_handed_over_or_has_ended_stays_as_it_is(twilio: TwilioSide, world: World) -> None:
    world.enroll(phone=ANA)
    first, second, _ = world.ids()
    world.claim([first])
    world.execute("UPDATE outbox SET status = 'done' WHERE id = %s", second)
    twilio.inbound(ANA, "STOP")
    assert world.statuses() == ["sending", "done", "cancelled"]


def test_stop_is_for_its_workspace_alone(twilio: TwilioSide, world: World) -> None:
    world.execute("INSERT INTO workspaces (key, name) VALUES ('other', 'Other')")
    ((other,),) = world.query("SELECT id FROM workspaces WHERE key = 'other'")
    world.publish(workspace_id=other)
    world.enroll(phone=ANA)
    with world.database.transaction() as session:
        write(session, EnrollEvent("follow-up", workspace="other", phone=ANA, email="a@example.com"))
    twilio.inbound(ANA, "STOP")
    assert world.query("SELECT workspace_id, address FROM suppressions") == [(1, ANA)]
    assert enrollments(world) == [("cancelled", "unsubscribed"), ("active", None)]


def test_who_is_not_known_is_suppressed_all_the_same(twilio: TwilioSide, world: World) -> None:
    assert twilio.inbound(ANA, "STOP").status == 200
    assert suppressions(world) == [("sms", ANA, "stop")]
    world.enroll(phone=ANA)
    (row,) = world.claim(world.ids("step_order = 1"))
    assert row.suppressed == "stop"


@pytest.mark.parametrize("sender", ["12345", "Carrier", "+", "client:ana", "+999999999999999999"])
def test_a_sender_without_a_phone_is_only_noted(twilio: TwilioSide, world: World, sender: str) -> None:
    assert twilio.inbound(sender, "STOP").status == 200
    assert suppressions(world) == []
    assert events(world) == ["stop"]


def test_another_channel_of_the_same_phone_counts(twilio: TwilioSide, world: World) -> None:
    """Twilio unifies opt-outs over RCS, SMS and MMS; the sender has the channel before the number there."""
    twilio.inbound(f"rcs:{ANA}", "STOP")
    assert suppressions(world) == [("sms", ANA, "stop")]


@pytest.mark.parametrize("body", ["START", "unstop", "YES"])
def test_start_lifts_what_the_sender_asked_for(twilio: TwilioSide, world: World, body: str) -> None:
    world.enroll(phone=ANA)
    for reason in ("stop", "unsubscribed"):
        world.execute("INSERT INTO suppressions VALUES (DEFAULT, 1, 'sms', %s, %s)", ANA, reason)
        twilio.inbound(ANA, body)
        assert suppressions(world) == []
    assert events(world) == ["start", "start"]
    assert enrollments(world) == [("active", None)]


def test_start_lifts_nothing_else(twilio: TwilioSide, world: World) -> None:
    world.execute("INSERT INTO suppressions VALUES (DEFAULT, 1, 'sms', %s, 'operator')", ANA)
    world.execute("INSERT INTO suppressions VALUES (DEFAULT, 1, 'sms', %s, 'stop')", BEN)
    world.execute("INSERT INTO suppressions VALUES (DEFAULT, 1, 'email', 'ana@example.com', 'stop')")
    twilio.inbound(ANA, "START")
    twilio.inbound(ANA, "STOP")
    twilio.inbound(ANA, "START")
    assert suppressions(world) == [
        ("sms", ANA, "operator"),
        ("sms", BEN, "stop"),
        ("email", "ana@example.com", "stop"),
    ]


def test_yes_is_a_reply_unless_they_had_stopped(twilio: TwilioSide, world: World) -> None:
    twilio.inbound(ANA, "Yes")
    assert events(world) == ["reply"]


def test_help_says_who_we_are(twilio: TwilioSide, world: World) -> None:
    world.execute("UPDATE workspaces SET name = 'Ana & Söhne <GmbH>'")
    answer = twilio.inbound(ANA, "help!")
    assert (
        "<Message>Ana &amp; S&#246;hne &lt;GmbH&gt;: " in answer.body or "Ana &amp; Söhne &lt;GmbH&gt;" in answer.body
    )
    assert "Reply STOP to unsubscribe" in answer.body
    assert events(world) == ["help"]
    assert suppressions(world) == []


def test_twilio_has_the_last_word_and_has_answered_already(twilio: TwilioSide, world: World) -> None:
    assert "<Message>" not in twilio.inbound(ANA, "AYUDA", OptOutType="HELP").body
    twilio.inbound(ANA, "ALTO", OptOutType="STOP")
    assert suppressions(world) == [("sms", ANA, "stop")]
    twilio.inbound(ANA, "EMPEZAR", OptOutType="START")
    assert suppressions(world) == []
    assert events(world) == ["help", "stop", "start"]


@pytest.mark.parametrize("body", ["I live on Stop Street", "Sounds good!", "don't stop", "", "🙂"])
def test_a_reply_ends_what_asks_for_it(twilio: TwilioSide, world: World, body: str) -> None:
    world.publish(REPLY_ENDS)
    world.enroll(phone=ANA)
    world.enroll("ends-on-reply", phone=ANA, email="user1@example.com")
    world.enroll("ends-on-reply", phone=BEN)
    twilio.inbound(ANA, body)
    assert enrollments(world) == [("active", None), ("cancelled", "replied"), ("active", None)]
    assert world.rows("status, reason", "enrollment_id = 2") == [("cancelled", "replied")] * 2
    assert suppressions(world) == []
    assert world.query("SELECT status, contact_id, payload->>'Body' FROM events") == [("reply", 1, body)]


def test_doubt_is_flagged_and_suppresses_nothing(twilio: TwilioSide, world: World) -> None:
    world.publish(REPLY_ENDS)
    world.enroll(phone=ANA)
    world.enroll("ends-on-reply", phone=ANA, email="user1@example.com")
    twilio.inbound(ANA, "maybe stop?")
    assert suppressions(world) == []
    assert world.query("SELECT status, payload->>'Body', contact_id FROM events") == [("doubtful", "maybe stop?", 1)]
    assert enrollments(world) == [("active", None), ("cancelled", "replied")]


def test_a_repeat_does_nothing(twilio: TwilioSide, world: World) -> None:
    """A signature has no time in it: who has recorded an old START can't lift a later STOP with it."""
    twilio.inbound(ANA, "STOP", sid="SM1")
    twilio.inbound(ANA, "YES", sid="SM2")
    twilio.inbound(ANA, "STOP", sid="SM3")
    for sid, body in (("SM2", "YES"), ("SM1", "STOP"), ("SM2", "YES")):
        assert twilio.inbound(ANA, body, sid=sid).status == 200
    assert suppressions(world) == [("sms", ANA, "stop")]
    assert events(world) == ["stop", "start", "stop"]
    assert "<Message>" in twilio.inbound(ANA, "HELP", sid="SM4").body
    assert "<Message>" in twilio.inbound(ANA, "HELP", sid="SM4").body


def test_a_yes_that_is_repeated_after_it_has_started_is_no_reply(twilio: TwilioSide, world: World) -> None:
    world.publish(REPLY_ENDS)
    world.execute("INSERT INTO suppressions VALUES (DEFAULT, 1, 'sms', %s, 'stop')", ANA)
    twilio.inbound(ANA, "YES", sid="SM1")
    world.enroll("ends-on-reply", phone=ANA)
    twilio.inbound(ANA, "YES", sid="SM1")
    assert events(world) == ["start"]
    assert enrollments(world) == [("active", None)]


def test_the_same_message_many_times_at_once_is_one_event(twilio: TwilioSide, world: World) -> None:
    world.enroll(phone=ANA)
    answers: list[int] = []
    threads = [Thread(target=lambda: answers.append(twilio.inbound(ANA, "STOP", sid="SM1").status)) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200] * 12
    assert events(world) == ["stop"]
    assert world.rows("status, fence") == [("cancelled", 1)] * 3


def test_what_postgres_can_not_keep_is_replaced(twilio: TwilioSide, world: World) -> None:
    assert (
        twilio.inbound(ANA, "STOP\0", Odd="\0\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16")).status
        == 200
    )
    assert world.query("SELECT payload->>'Body', payload->>'Odd' FROM events") == [("STOP\ufffd", "\ufffd😀")]
    assert suppressions(world) == [("sms", ANA, "stop")]


def test_the_database_may_be_away_for_a_moment(twilio: TwilioSide, world: World) -> None:
    """Connections that a restart of the server has cut are no reason to lose a STOP."""
    twilio.inbound(ANA, "Hello")
    world.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    assert twilio.inbound(ANA, "STOP").status == 200
    assert suppressions(world) == [("sms", ANA, "stop")]
