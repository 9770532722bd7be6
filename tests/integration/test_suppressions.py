"""Who must not be contacted: addresses that messages went to, addresses that nobody has, and people."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from world import World

from engine.clock import SequenceClock
from engine.errors import InvalidInput, NotFound
from engine.outbox.begin import Attempt, begin
from engine.outbox.claim import claim
from engine.outbox.last_look import still_good
from engine.outbox.settle import Ending, settle
from producers import suppression_list
from producers.delivery_reports import DeliveryReport, Told, take_report
from producers.explaining import explain_enrollment
from producers.inbound import InboundMessage, receive
from producers.operator import Operator
from producers.report_group import take_reports
from producers.signals import About, Heard, Taken, take_signal
from producers.tenants import Tenant, find_tenant
from producers.workspaces import change, find_workspace
from schema.states import RowStatus, SignalKind

OLD, NEW = "+12025550101", "+12025550102"

MAIL = """
sequence: mail
reentry: always
exit_on: [bounced, unsubscribed, complained]
steps:
  - {key: one, type: email, subject: Hi, text: Hi}
  - {key: two, type: email, delay: 1 day, subject: Hi, text: Hi again}
"""

SMS = """
sequence: text
reentry: always
exit_on: [unsubscribed]
steps: [{key: one, type: sms, body: Hi}, {key: two, type: sms, delay: 1 day, body: Hi again}]
"""

WHO = Operator("default", "ann", "they rang")


@pytest.fixture(autouse=True)
def published(world: World) -> None:
    world.publish(MAIL)
    world.publish(SMS)


def send(world: World, row_id: int, provider_id: str) -> None:
    """Hand a row over; the provider accepts it."""
    (row,) = world.begin([row_id])
    with world.database.transaction() as session:
        ending = Ending(row.id, row.fence, row.channel, RowStatus.SENT, outcome="accepted", provider_id=provider_id)
        settle(session, [ending])


def enroll(world: World, sequence: str, **who: str) -> int:
    """Enroll somebody; return the id of the first row."""
    keys = {"email": None, "phone": None, **who}
    enrolled = world.enroll(sequence, **keys)[0].enrollment_id
    return world.ids(f"enrollment_id = {enrolled} AND step_order = 1")[0]


def hear(world: World, kind: SignalKind, **about: str) -> Taken:
    with world.database.transaction() as session:
        return take_signal(session, find_workspace(session, "default"), Heard(kind, About(**about)))


def barred(world: World) -> list[tuple[str, str, str]]:
    return world.query("SELECT channel, address, reason FROM suppressions ORDER BY id")


def people(world: World) -> list[tuple[int, str, str]]:
    return world.query("SELECT contact_id::int, channel, reason FROM contact_opt_outs ORDER BY 1, 2")


def reason_of(world: World, row_id: int) -> str | None:
    """Why a row that is due would be skipped."""
    with world.database.transaction() as session:
        (row,) = claim(session, [row_id])
        return row.suppressed


def test_a_bounce_bars_the_address_that_the_message_went_to(world: World) -> None:
    send(world, enroll(world, "mail", external_id="q1", email="dead@example.com"), "<1@x>")
    following = enroll(world, "mail", external_id="q1", email="good@example.com")
    hear(world, SignalKind.BOUNCED, message="<1@x>")
    assert barred(world) == [("email", "dead@example.com", "bounced")]
    assert people(world) == []
    assert reason_of(world, following) is None
    assert world.query("SELECT DISTINCT status FROM enrollments") == [("active",)]
    again = enroll(world, "mail", external_id="q2", email="DEAD@example.com")
    assert reason_of(world, again) == "bounced"


def test_a_bounce_of_the_address_of_today_ends_the_enrollment(world: World) -> None:
    send(world, enroll(world, "mail", external_id="q1", email="dead@example.com"), "<1@x>")
    hear(world, SignalKind.BOUNCED, message="<1@x>")
    assert world.query("SELECT status, exit_reason FROM enrollments") == [("cancelled", "bounced")]


@pytest.mark.parametrize("kind", [SignalKind.UNSUBSCRIBED, SignalKind.COMPLAINED])
def test_an_opt_out_bars_the_address_of_the_message_and_the_person(world: World, kind: SignalKind) -> None:
    send(world, enroll(world, "mail", external_id="q1", email="first@example.com"), "<1@x>")
    world.enroll("mail", external_id="q1", email="second@example.com", phone=None)
    hear(world, kind, message="<1@x>")
    assert barred(world) == [("email", "first@example.com", kind.value)]
    assert people(world) == [(1, "email", kind.value)]
    following = enroll(world, "mail", external_id="q1", email="third@example.com")
    assert reason_of(world, following) == kind.value
    ((enrollment,),) = world.query("SELECT enrollment_id FROM outbox WHERE id = %s", following)
    says = explain_enrollment(world.database, "default", enrollment).next["says"]
    assert f"suppressed ({kind.value})" in says


def test_an_opt_out_of_an_address_that_no_contact_has_is_kept(world: World) -> None:
    taken = hear(world, SignalKind.UNSUBSCRIBED, email="New@Example.com")
    assert taken.event_id is not None
    assert taken.contact_id is None
    assert barred(world) == [("email", "new@example.com", "unsubscribed")]
    assert reason_of(world, enroll(world, "mail", email="new@example.com")) == "unsubscribed"


def test_an_opt_out_of_a_former_address_is_kept(world: World) -> None:
    enroll(world, "mail", external_id="q1", email="first@example.com")
    enroll(world, "mail", external_id="q1", email="second@example.com")
    hear(world, SignalKind.UNSUBSCRIBED, email="first@example.com", phone=OLD)
    assert barred(world) == [("email", "first@example.com", "unsubscribed"), ("sms", OLD, "unsubscribed")]


def test_other_events_of_an_unknown_address_are_refused(world: World) -> None:
    with pytest.raises(NotFound, match="no contact has these keys"):
        hear(world, SignalKind.REPLIED, email="new@example.com")
    with pytest.raises(NotFound, match="no contact has these keys"):
        hear(world, SignalKind.UNSUBSCRIBED, external_id="nobody")


@pytest.mark.parametrize("scope", ["channel", "all"])
def test_a_stop_follows_the_person_and_start_lifts_it(world: World, scope: str) -> None:
    with world.database.transaction() as session:
        change(session, "default", opt_out_scope="all" if scope == "all" else "channel")
    enroll(world, "text", external_id="q1", phone=OLD, email="q1@example.com")
    assert say(world, OLD, "STOP")
    assert barred(world) == [("sms", OLD, "stop")]
    assert people(world) == [(1, channel, "stop") for channel in (["email", "sms"] if scope == "all" else ["sms"])]
    text = enroll(world, "text", external_id="q1", phone=NEW)
    mail = enroll(world, "mail", external_id="q1", email="q1@example.com")
    assert reason_of(world, text) == "stop"
    assert reason_of(world, mail) == ("stop" if scope == "all" else None)
    assert say(world, NEW, "START")
    assert people(world) == []
    assert reason_of(world, text) is None
    assert barred(world) == [("sms", OLD, "stop")]


def say(world: World, sender: str, body: str) -> bool:
    """A message comes in; True: it is new."""
    with world.database.transaction() as session:
        ((public_id,),) = session.execute("SELECT public_id FROM workspaces").fetchall()
        tenant = find_tenant(session, public_id)
        assert tenant is not None
        sid = f"SM{sender}{body}"
        receive(session, tenant, InboundMessage(sid, sender, body, None, {"From": sender, "Body": body}))
    return True


def test_nothing_is_handed_over_to_somebody_who_has_opted_out_meanwhile(world: World) -> None:
    row_id = enroll(world, "mail", external_id="q1", email="first@example.com")
    with world.database.transaction() as session:
        (row,) = claim(session, [row_id])
        begin(session, [Attempt(row.id, row.fence, row.recipient, "{}", 0.0)], 60)
    world.execute("INSERT INTO contact_opt_outs VALUES (1, 'email', 1, 'unsubscribed')")
    with world.database.transaction() as session:
        assert still_good(session, [(row.id, row.fence)]) == set()


def test_a_refusal_bars_the_number_that_the_message_went_to(world: World) -> None:
    row_id = enroll(world, "text", external_id="q1", phone=OLD)
    (row,) = world.begin([row_id])
    world.execute("UPDATE contacts SET phone = %s", NEW)
    with world.database.transaction() as session:
        settle(
            session,
            [Ending(row.id, row.fence, "sms", RowStatus.FAILED, "no", outcome="refused", suppress="unsubscribed")],
        )
    assert barred(world) == [("sms", OLD, "unsubscribed")]
    assert people(world) == [(1, "sms", "unsubscribed")]


def test_a_report_bars_the_number_that_the_message_went_to(world: World) -> None:
    row_id = enroll(world, "text", external_id="q1", phone=OLD)
    send(world, row_id, "SM1")
    world.execute("UPDATE contacts SET phone = %s", NEW)
    world.enroll("text", external_id="q2", phone=OLD, email=None)
    with world.database.transaction() as session:
        tenant = Tenant(1, "Default", "US", "secret")
        report = DeliveryReport("SM1", "failed", "21610", OLD, None, {})
        left_out = take_reports(session, [Told(tenant, report)]).left_out
        assert list(left_out) == [0]
    with world.database.transaction() as session:
        take_report(session, SequenceClock(world.database), tenant, report)
    assert barred(world) == [("sms", OLD, "unsubscribed")]
    assert people(world) == [(1, "sms", "unsubscribed")]


# The list.


def text(world: World) -> str:
    file = io.StringIO()
    with world.database.transaction() as session:
        suppression_list.export(session, find_workspace(session, "default"), file)
    return file.getvalue()


def test_an_operator_adds_and_removes_an_address(world: World) -> None:
    with world.database.transaction() as session:
        assert suppression_list.add(session, WHO, None, "Ada@Example.com")
        assert not suppression_list.add(session, WHO, None, "ada@example.com")
        assert suppression_list.add(session, WHO, None, "(202) 555-0101")
    assert barred(world) == [("email", "ada@example.com", "operator"), ("sms", OLD, "operator")]
    with world.database.transaction() as session:
        assert suppression_list.remove(session, WHO, None, "ada@example.com") == ["operator"]
        assert suppression_list.remove(session, WHO, None, "ada@example.com") == []
        with pytest.raises(InvalidInput, match="say why, with --reason"):
            suppression_list.remove(session, Operator("default", "ann", None), None, OLD)
        with pytest.raises(InvalidInput, match="phone 'ada'"):
            suppression_list.add(session, WHO, None, "ada")
    assert barred(world) == [("sms", OLD, "operator")]
    assert world.query("SELECT made_by, became, reason FROM history ORDER BY at") == [
        ("ann", "suppressed", "email ada@example.com; they rang"),
        ("ann", "suppressed", f"sms {OLD}; they rang"),
        ("ann", "suppression removed", "email ada@example.com (operator); they rang"),
    ]


def test_removing_an_address_allows_the_person_too(world: World) -> None:
    row_id = enroll(world, "mail", external_id="q1", email="first@example.com")
    hear(world, SignalKind.UNSUBSCRIBED, external_id="q1")
    with world.database.transaction() as session:
        found = suppression_list.remove(session, WHO, "email", "first@example.com")
    assert found == ["unsubscribed", "unsubscribed"]
    assert people(world) == [(1, "sms", "unsubscribed")]
    assert world.query("SELECT status FROM outbox WHERE id = %s", row_id) == [("cancelled",)]
    assert reason_of(world, enroll(world, "mail", external_id="q1", email="first@example.com")) is None


def test_a_list_is_imported_once_and_its_bad_lines_come_back(world: World, tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text(
        "channel,address,reason,note\n"
        "email,Ada@Example.com,asked us,by letter\n"
        "sms,(202) 555-0101,,\n"
        ",ben@example.com,,\n"
        "email,nobody,,\n"
        "fax,+12025550103,,\n"
        "sms,,,\n"
    )
    for added in (3, 0):
        done = suppression_list.import_file(world.database, WHO, str(file))
        assert (done.lines, done.added, done.known, done.rejected) == (6, added, 3 - added, 3)
    rejected = list(csv.reader((tmp_path / "list.csv.rejected.csv").read_text().splitlines()))
    assert [(line, reason.split(":")[0]) for line, reason, *_ in rejected] == [
        ("line", "reason"),
        ("5", "email 'nobody' is not valid"),
        ("6", "channel 'fax'"),
        ("7", "it has no address"),
    ]
    assert world.query("SELECT channel, address, reason, note FROM suppressions ORDER BY id") == [
        ("email", "ada@example.com", "asked us", "by letter"),
        ("sms", OLD, "imported", None),
        ("email", "ben@example.com", "imported", None),
    ]


def test_what_is_exported_can_be_imported(world: World, tmp_path: Path) -> None:
    @settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
    @given(
        numbers=st.lists(st.integers(100, 199), unique=True, max_size=5),
        names=st.lists(st.from_regex(r"[a-z]{1,9}", fullmatch=True), unique=True, max_size=5),
        note=st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=20).map(str.strip),
    )
    def tell(numbers: list[int], names: list[str], note: str) -> None:
        world.execute("DELETE FROM suppressions")
        who = Operator("default", "ann", note or None)
        with world.database.transaction() as session:
            for address in [f"+12025550{number}" for number in numbers] + [f"{name}@example.com" for name in names]:
                suppression_list.add(session, who, None, address)
        before = world.query("SELECT channel, address, reason, note FROM suppressions ORDER BY id")
        file = tmp_path / "export.csv"
        file.write_text(text(world))
        world.execute("DELETE FROM suppressions")
        if before:
            suppression_list.import_file(world.database, who, str(file))
        assert world.query("SELECT channel, address, reason, note FROM suppressions ORDER BY id") == before

    tell()


def test_the_list_has_pages_and_people(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    enroll(world, "mail", external_id="q1", email="first@example.com")
    hear(world, SignalKind.UNSUBSCRIBED, external_id="q1")
    with world.database.transaction() as session:
        for number in range(5):
            suppression_list.add(session, WHO, None, f"+120255501{number:02}")
    monkeypatch.setattr(suppression_list, "CHUNK", 2)
    with world.database.transaction() as session:
        mine = find_workspace(session, "default")
        found = list(suppression_list.listed(session, mine))
        assert len(found) == 8
        assert [(one.contact_id, one.channel) for one in found[6:]] == [(1, "email"), (1, "sms")]
        assert len(list(suppression_list.listed(session, mine, "email"))) == 2
        assert [one.address for one in suppression_list.listed(session, mine, None, "+1 202 555 0103")] == [
            "+12025550103"
        ]


def test_a_repeat_in_one_list_keeps_the_reason_that_is_harder_to_take_back(world: World, tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text(f"phone,reason\n{OLD},stop\n{OLD},legal hold\n{OLD},unsubscribed\n{NEW},stop\n{NEW},unsubscribed\n")
    for added in (2, 0):
        done = suppression_list.import_file(world.database, WHO, str(file))
        assert (done.added, done.known) == (added, 5 - added)
    assert barred(world) == [("sms", OLD, "legal hold"), ("sms", NEW, "stop")]


def test_a_complaint_after_a_stop_is_not_taken_back_by_a_start(world: World) -> None:
    """The workspace bars all channels, so START lifts what the person themselves took back on all of them."""
    with world.database.transaction() as session:
        change(session, "default", opt_out_scope="all")
    enroll(world, "text", external_id="q1", phone=OLD, email="q1@example.com")
    say(world, OLD, "STOP")
    hear(world, SignalKind.COMPLAINED, external_id="q1")
    say(world, OLD, "START")
    assert [reason for *_, reason in people(world)] == ["complained", "complained"]
