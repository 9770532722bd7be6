"""Contacts are found, corrected, merged and erased; nobody who opted out is written to afterwards."""

from threading import Thread

import pytest
from stage_site import wait_for
from world import World

from engine.clock import sequence_now
from engine.errors import InvalidInput, NotFound
from engine.outbox.claim import claim
from engine.outbox.listing import page
from producers.contact_edits import Edit, Edited, edit
from producers.contact_erasing import erase
from producers.contact_lookup import find_contact
from producers.contact_merging import merge, plan_merge
from producers.contact_view import view
from producers.enroll_event import EnrollEvent, write
from producers.operator import Operator
from producers.signals import About, Heard, take_signal
from producers.workspaces import find_workspace
from schema.states import SignalKind

WHO = Operator("default", "ann", "they rang")
ANA, BEN = "+12025550101", "+12025550102"
WAITING_FOR_A_LOCK = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


def change(world: World, contact: int, **wanted: object) -> Edited:
    with world.database.transaction() as session:
        mine = find_workspace(session, "default")
        return edit(session, mine, WHO, contact, Edit(**wanted), sequence_now(session).timestamp())  # type: ignore[arg-type]


def find(world: World, written: str) -> int:
    with world.database.transaction() as session:
        return find_contact(session, find_workspace(session, "default"), written)


def opt_out(world: World, contact: str) -> None:
    with world.database.transaction() as session:
        heard = Heard(SignalKind.UNSUBSCRIBED, About(external_id=contact))
        take_signal(session, find_workspace(session, "default"), heard)


@pytest.fixture
def two(world: World) -> World:
    """Ana and Ben, each enrolled."""
    world.publish()
    world.enroll(external_id="a1", email="ana@example.com", phone=ANA, first_name="Ana")
    world.enroll(external_id="b2", email="ben@example.com", phone=BEN, attributes={"plan": "pro"})
    return world


@pytest.mark.parametrize(
    "written", ["1", "ana@example.com", "ANA@Example.com", ANA, "(202) 555-0101", "external_id:a1"]
)
def test_a_contact_is_found_by_what_people_know(two: World, written: str) -> None:
    assert find(two, written) == 1


@pytest.mark.parametrize(
    ("written", "error", "says"),
    [
        ("99", NotFound, "no contact '99' in workspace 'default'"),
        ("eve@example.com", NotFound, "no contact 'eve@example.com'"),
        ("external_id:zz", NotFound, "no contact 'external_id:zz'"),
        ("nobody", InvalidInput, "'nobody' is no contact: give an email address"),
        ("a@b@c", InvalidInput, "email 'a@b@c'"),
    ],
)
def test_who_is_not_found_is_said(two: World, written: str, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        find(two, written)


def test_a_contact_is_corrected_and_the_history_says_so(two: World) -> None:
    edited = change(
        two,
        1,
        email="Ana.New@Example.com",
        phone="",
        attributes={"custom.plan": "free"},
        timezone="Pacific Time (US & Canada)",
    )
    assert edited.changes["email"] == ("ana@example.com", "Ana.New@example.com")
    assert edited.changes["phone"] == (ANA, None)
    assert edited.changes["timezone"] == (None, "America/Los_Angeles")
    assert two.query("SELECT email, email_key, phone, attributes FROM contacts WHERE id = 1") == [
        ("Ana.New@example.com", "ana.new@example.com", None, {"plan": "free"})
    ]
    assert change(two, 1, unset=["custom.plan"]).changes["attributes"] == ({"plan": "free"}, {})
    assert change(two, 1, email="ana.new@example.com").changes == {
        "email": ("Ana.New@example.com", "ana.new@example.com")
    }
    assert change(two, 1, email="ana.new@example.com").changes == {}
    assert ("contact 1: email, phone, timezone, attributes; they rang",) in two.query(
        "SELECT reason FROM history WHERE became = 'contact changed'"
    )


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ({"email": "ben@example.com"}, "contact 2 has that key already: `cadenza contact merge`"),
        ({"phone": BEN}, "contact 2 has that key already"),
        ({"external_id": "b2"}, "contact 2 has that key already"),
        ({"email": "nobody"}, "email 'nobody'"),
        ({"timezone": "Mars"}, "timezone 'Mars'"),
        ({"unset": ["plan"]}, "has no attribute 'plan'"),
        ({"external_id": "", "email": "", "phone": ""}, "a contact needs an external_id"),
    ],
)
def test_what_can_not_be_is_refused_and_changes_nothing(two: World, wanted: dict[str, object], says: str) -> None:
    before = two.query("SELECT * FROM contacts ORDER BY id")
    with pytest.raises(InvalidInput, match=says):
        change(two, 1, **wanted)
    assert two.query("SELECT * FROM contacts ORDER BY id") == before


def test_two_contacts_become_one(two: World) -> None:
    opt_out(two, "b2")
    two.execute("UPDATE contacts SET first_name = NULL WHERE id = 1")
    two.execute("UPDATE contacts SET first_name = 'Benny' WHERE id = 2")
    with two.database.transaction() as session:
        planned = plan_merge(session, 1, 2)
        assert planned.enrollments == 1
        merge(session, find_workspace(session, "default"), WHO, 1, 2)
    assert two.query("SELECT id, external_id, email, phone, first_name, attributes FROM contacts") == [
        (1, "a1", "ana@example.com", ANA, "Benny", {"plan": "pro"})
    ]
    assert two.query("SELECT contact_id FROM enrollments ORDER BY id") == [(1,), (1,)]
    with two.database.transaction() as session:
        (row,) = claim(session, two.ids("enrollment_id = 1 AND step_order = 1"))
        assert row.suppressed == "unsubscribed"
        assert [one.enrollment for one in page(session, 1, None, None, 0, 10, contact_id=1)] == [1, 2]


def test_where_both_run_in_a_sequence_the_others_enrollment_ends(two: World) -> None:
    with two.database.transaction() as session:
        assert plan_merge(session, 1, 2).ended == [2]
        merge(session, find_workspace(session, "default"), WHO, 1, 2)
    assert two.query("SELECT id, status, exit_reason FROM enrollments ORDER BY id") == [
        (1, "active", None),
        (2, "cancelled", "merged"),
    ]
    assert set(two.statuses()[3:]) == {"cancelled"}


def test_no_contact_is_merged_into_itself(two: World) -> None:
    with two.database.transaction() as session, pytest.raises(InvalidInput, match="both are the same contact"):
        merge(session, find_workspace(session, "default"), WHO, 1, 1)


def test_what_is_on_its_way_keeps_a_contact(two: World) -> None:
    two.begin(two.ids("enrollment_id = 2 AND step_order = 1"))
    with two.database.transaction() as session, pytest.raises(InvalidInput, match="is on its way"):
        merge(session, find_workspace(session, "default"), WHO, 1, 2)
    with two.database.transaction() as session, pytest.raises(InvalidInput, match="is on its way"):
        erase(session, find_workspace(session, "default"), WHO, 2, end=True)


def test_an_erased_contact_leaves_nothing_personal_and_stays_barred(two: World) -> None:
    two.begin(two.ids("enrollment_id = 1 AND step_order = 1"), payload='{"body": "Hi Ana"}')
    two.execute("UPDATE outbox SET status = 'pending', lease_until = NULL WHERE status = 'sending'")
    opt_out(two, "b2")
    with two.database.transaction() as session:
        mine = find_workspace(session, "default")
        with pytest.raises(InvalidInput, match=r"is in 1 running enrollment \(1\)"):
            erase(session, mine, WHO, 1, end=False)
        assert erase(session, mine, WHO, 1, end=True) == [1]
        assert erase(session, mine, WHO, 2, end=False) == []
    assert two.query("SELECT external_id, email, phone, first_name, attributes FROM contacts ORDER BY id") == [
        ("erased-1", None, None, None, {}),
        ("erased-2", None, None, None, {}),
    ]
    assert two.query("SELECT recipient, payload FROM attempts") == [("erased", {})]
    assert two.query("SELECT DISTINCT status FROM enrollments") == [("cancelled",)]
    assert ("sms", BEN) in two.query("SELECT channel, address FROM suppressions")
    two.enroll(external_id="new", email="ben@example.com", phone=BEN)
    with two.database.transaction() as session:
        (row,) = claim(session, two.ids("enrollment_id = 3 AND step_order = 1"))
        assert row.suppressed == "unsubscribed"


def test_all_that_is_known_is_shown(two: World) -> None:
    opt_out(two, "a1")
    with two.database.transaction() as session:
        found = view(session, 1, 1)
        assert found.contact["email"] == "ana@example.com"
        assert {(one["channel"], one["person"]) for one in found.barred} == {
            ("sms", False), ("sms", True), ("email", False), ("email", True),
        }  # fmt: skip
        assert [(one["sequence"], one["exit_reason"]) for one in found.enrollments] == [("follow-up", "unsubscribed")]
        assert [one["status"] for one in found.events] == ["unsubscribed"]
        with pytest.raises(NotFound):
            view(session, 1, 99)


def test_an_enroll_event_says_what_it_changed_of_the_contact(two: World) -> None:
    two.publish("sequence: beside\nreentry: always\nsteps: [{key: only, type: sms, body: Hi}]")
    same = two.enroll("beside", external_id="a1", email="ana@example.com", phone=ANA)[0]
    assert (same.contact_id, same.contact_changes) == (1, {})
    other = two.enroll("beside", external_id="a1", email="Ana2@Example.com", phone=ANA, first_name="Anna")[0]
    assert other.contact_changes == {
        "email": ("ana@example.com", "Ana2@example.com"),
        "first_name": ("Ana", "Anna"),
    }
    new = two.enroll("beside", email="eve@example.com", phone="+12025550103")[0]
    assert (new.contact_id, new.contact_changes) == (3, {})


def merge_both(world: World) -> None:
    with world.database.transaction() as session:
        merge(session, find_workspace(session, "default"), WHO, 1, 2)


def erase_contact(world: World, contact: int) -> None:
    with world.database.transaction() as session:
        erase(session, find_workspace(session, "default"), WHO, contact, end=True)


def test_a_merge_unites_tags(two: World) -> None:
    two.execute("UPDATE contacts SET tags = CASE id WHEN 1 THEN '{new,lead}' ELSE '{vip,lead}' END::text[]")
    merge_both(two)
    assert two.query("SELECT tags FROM contacts") == [(["lead", "new", "vip"],)]


@pytest.mark.parametrize(("kept", "other"), [("unsubscribed", "complained"), ("complained", "unsubscribed")])
def test_a_merge_keeps_the_opt_out_that_nobody_takes_back(two: World, kept: str, other: str) -> None:
    two.execute(
        "INSERT INTO contact_opt_outs (contact_id, channel, workspace_id, reason)"
        f" VALUES (1, 'email', 1, '{kept}'), (2, 'email', 1, '{other}')"
    )
    merge_both(two)
    assert two.query("SELECT contact_id, reason FROM contact_opt_outs") == [(1, "complained")]


def test_whoever_is_in_doubt_is_not_erased(two: World) -> None:
    two.execute(
        "INSERT INTO events (workspace_id, provider, kind, provider_id, status, contact_id, payload)"
        " VALUES (1, 'twilio', 'inbound', 'SM1', 'doubtful', 2, '{}')"
    )
    two.execute(
        "INSERT INTO contact_holds (event_id, contact_id, channel, workspace_id)"
        " SELECT id, 2, 'sms', 1 FROM events WHERE provider_id = 'SM1'"
    )
    with pytest.raises(InvalidInput, match="contact 2 wrote what may be an opt-out: decide it first"):
        erase_contact(two, 2)
    assert two.query("SELECT phone FROM contacts WHERE id = 2") == [(BEN,)]


def test_an_erased_contact_leaves_no_name_and_no_number(two: World) -> None:
    two.execute("UPDATE contacts SET external_id = 'erased-2' WHERE id = 1")
    two.execute(
        f"INSERT INTO undelivered (workspace_id, address, in_a_row, error_code) VALUES (1, '{BEN}', 1, '30003')"
    )
    two.execute(
        "INSERT INTO tasks (workspace_id, enrollment_id, type, name, due_at)"
        f" VALUES (1, 2, 'call', 'Call Ben on {BEN}', now())"
    )
    erase_contact(two, 2)
    assert two.query("SELECT address FROM undelivered") == []
    assert two.query("SELECT name FROM tasks") == [("erased",)]
    ((external_id,),) = two.query("SELECT external_id FROM contacts WHERE id = 2")
    assert external_id.startswith("erased-2-")


def test_nobody_is_erased_whose_messages_are_in_a_detached_archive(two: World) -> None:
    two.execute("INSERT INTO archive_months (month, detached_at) VALUES ('2024-03-01', now())")
    two.execute("CREATE TABLE archives.outbox_2024_03 (LIKE archived_outbox)")
    two.execute("CREATE TABLE archives.attempts_2024_03 (LIKE archived_attempts)")
    two.execute("UPDATE enrollments SET archived_month = '2024-03-01' WHERE contact_id = 2")
    with pytest.raises(InvalidInput, match=r"2024-03 is detached.*cadenza archives attach 2024-03"):
        erase_contact(two, 2)
    assert two.query("SELECT phone FROM contacts WHERE id = 2") == [(BEN,)]
    two.execute("DROP TABLE archives.outbox_2024_03, archives.attempts_2024_03")
    erase_contact(two, 2)
    assert two.query("SELECT phone FROM contacts WHERE id = 2") == [(None,)]


WAITING = """
sequence: waiting
name: Waiting
steps:
  - {key: plan, type: wait, until: {attribute: {plan: pro}, within: 3 days}}
  - {key: hello, type: sms, body: Hi}
"""


def test_what_waits_for_an_attribute_is_looked_at_after_a_merge(world: World) -> None:
    world.publish(WAITING)
    world.publish("sequence: beside\nsteps: [{key: only, type: sms, body: Hi}]")
    world.enroll("waiting", external_id="a1", phone=ANA)
    world.enroll("beside", external_id="b2", phone=BEN, attributes={"plan": "pro"})
    world.execute(
        "UPDATE outbox SET outcome = 'undecided', due_at = due_at + interval '3 days' WHERE step_key = 'plan'"
    )
    with world.database.transaction() as session:
        merged = merge(session, find_workspace(session, "default"), WHO, 1, 2)
    assert world.rows("status", "step_key = 'plan'") == [("done",)]
    assert [rows for _, rows in merged.wakeups] == [world.ids("step_key = 'hello'")]


def test_whoever_is_enrolled_while_a_merge_waits_is_in_a_sequence_once(world: World) -> None:
    world.publish()
    world.publish("sequence: beside\nsteps: [{key: only, type: sms, body: Hi}]")
    world.enroll(external_id="a1", phone=ANA)
    world.enroll("beside", external_id="b2", phone=BEN)
    merging = Thread(target=merge_both, args=(world,))
    with world.database.transaction() as session:
        write(session, EnrollEvent("follow-up", external_id="b2", email="ben@example.com", phone=BEN))
        merging.start()
        wait_for(lambda: world.query(WAITING_FOR_A_LOCK) == [(1,)], "the merge waits for the enrollment")
    merging.join()
    running = "SELECT count(*) FROM enrollments e JOIN sequences s ON s.id = e.sequence_id WHERE s.key = 'follow-up'"
    assert world.query(f"{running} AND e.status = 'active'") == [(1,)]
    assert world.query(running) == [(2,)]
