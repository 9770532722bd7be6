"""What came of each variant: counted from what workers and people did."""

from typing import Any

from people_at_work import until_step
from stage_site import Site

from deploy.cli.variants import _document, _lines, _rate
from engine.rules.comparing import Share
from producers.signals import About, Heard, take_signal
from producers.variants import Splits, compare_variants
from producers.workspaces import find_workspace
from schema.states import SignalKind

SPLIT = """
sequence: split
exit_on: [replied]
steps:
  - key: which
    type: variants
    variants:
      a: {steps: [{key: short, type: email, subject: Hi, text: Hi}]}
      b:
        steps:
          - {key: long, type: email, subject: Good morning, text: Good morning}
          - {key: more, type: email, delay: 1 day, subject: And so on, text: And so on}
      c: {weight: 0}
  - {key: bye, type: email, delay: 9 days, subject: Bye, text: Bye}
"""

APPLE = "Mozilla/5.0"


def hear(site: Site, kind: str, enrollment: int, step: str | None = None, **more: Any) -> None:
    with site.world.database.transaction() as session:
        workspace = find_workspace(session, "default")
        take_signal(session, workspace, Heard(SignalKind(kind), About(enrollment_id=enrollment, step=step), **more))


def compared(site: Site, version: int | None = None) -> Splits:
    with site.world.database.transaction() as session:
        return compare_variants(session, 1, "split", version)


def test_each_variant_is_told_with_what_came_of_it(site: Site) -> None:
    site.world.publish(SPLIT)
    site.enroll("split", count=12)
    with site.working():
        until_step(site, "which", "done")
        site.jump(1)
        took = dict(site.world.query("SELECT enrollment_id, outcome FROM outbox WHERE step_key = 'which'"))
        ours = [enrollment for enrollment, name in took.items() if name == "b"]
        others = [enrollment for enrollment, name in took.items() if name == "a"]
        assert len(ours) >= 2
        assert len(others) >= 1
        for enrollment in ours:
            until_step(site, "more", "sent", enrollment)
        for enrollment in others:
            until_step(site, "short", "sent", enrollment)
    one, two, *_ = ours
    for step in ("long", "more"):
        hear(site, "opened", one, step)
        hear(site, "delivered", one, step)
    hear(site, "opened", two, "long", user_agent=APPLE)
    hear(site, "clicked", one, "long", link="https://example.com/")
    hear(site, "clicked", one, "more", link="https://example.com/")
    hear(site, "replied", one, "more")
    hear(site, "opened", others[0], "short", user_agent=APPLE)
    hear(site, "custom", others[0], name="paid")
    found = compared(site)
    ((a, b, c),) = [split.variants for split in found.steps]
    assert (a.name, a.counts.taken, a.counts.sent, a.counts.replied) == ("a", len(others), len(others), 0)
    assert (a.counts.opened, a.counts.opened_by_machine, a.counts.exits) == (0, 1, {})
    assert (b.counts.taken, b.counts.sent, b.counts.delivered) == (len(ours), 2 * len(ours), 2)
    assert (b.counts.opened, b.counts.opened_by_machine, b.counts.clicked, b.counts.replied) == (1, 1, 1, 1)
    assert b.counts.exits == {"replied": 1}
    assert b.shares["replied"] == Share(1, len(ours))
    assert b.shares["delivered"] == Share(2, 2 * len(ours))
    assert _rate("delivered", b).startswith(f"2 of {2 * len(ours)}: ")
    assert _rate("delivered", a) == "not reported"  # not "0 %": an SMTP server that accepted says nothing later
    assert a.shares["delivered"].rate is None
    assert (c.counts.taken, c.counts.sent, c.shares["replied"].rate) == (0, 0, None)
    assert found.steps[0].findings["replied"].says == "no difference shown yet: fewer than 100 have taken a, b"
    assert "opened" not in found.steps[0].findings


def test_a_contact_that_is_enrolled_again_replied_to_the_later_one(site: Site) -> None:
    site.world.publish(SPLIT.replace("exit_on: [replied]", "reentry: always"))
    who = {"email": "ada@example.com"}
    with site.working():
        site.enroll("split", **who)
        until_step(site, "which", "done")
        site.jump(3)
        site.enroll("split", **who)
        until_step(site, "which", "done")
    first, second = (row for (row,) in site.world.query("SELECT id FROM enrollments ORDER BY id"))
    hear(site, "replied", second)
    ((a, b, _),) = [split.variants for split in compared(site).steps]
    assert a.counts.taken + b.counts.taken == 2
    assert a.counts.replied + b.counts.replied == 1
    assert first < second


def test_versions_are_told_apart(site: Site) -> None:
    site.world.publish(SPLIT)
    site.enroll("split", count=3)
    with site.working():
        until_step(site, "which", "done")
    site.world.publish(SPLIT.replace("Good morning", "Good evening"))
    assert sum(variant.counts.taken for variant in compared(site).steps[0].variants) == 0
    assert sum(variant.counts.taken for variant in compared(site, 1).steps[0].variants) == 3


def test_opens_alone_make_no_winner(site: Site) -> None:
    """Made in the database, since the workers' way is the same for all: b is opened by everybody, a by nobody."""
    site.world.publish(SPLIT)
    site.world.enroll("split", count=240)
    site.world.execute(
        "UPDATE outbox SET status = 'done', outcome = CASE mod(enrollment_id, 2) WHEN 0 THEN 'a' ELSE 'b' END"
        " WHERE step_key = 'which'"
    )
    site.world.execute(
        "UPDATE outbox SET status = 'sent', sent_at = sequence_now() WHERE step_key IN ('short', 'long')"
        " AND (step_key = 'short') = (mod(enrollment_id, 2) = 0)"
    )
    site.world.execute(
        "INSERT INTO events (workspace_id, provider, kind, provider_id, status, outbox_id, contact_id, payload)"
        " SELECT 1, 'test', 'signal', 'o' || o.id, 'opened', o.id, e.contact_id, '{}'"
        " FROM outbox o JOIN enrollments e ON e.id = o.enrollment_id WHERE o.step_key = 'long' AND o.status = 'sent'"
    )
    found = compared(site)
    (_, b, _) = found.steps[0].variants
    assert b.shares["opened"] == Share(120, 120)
    assert {finding.best for finding in found.steps[0].findings.values()} == {None}
    text = "\n".join(_lines(found))
    assert "opened            120 of 120: 100.0%" in text
    assert "(not decisive)" in text
    assert " does better than " not in text
    site.world.execute(
        "INSERT INTO events (workspace_id, provider, kind, provider_id, status, outbox_id, contact_id, payload)"
        " SELECT 1, 'test', 'signal', 'c' || o.id, 'clicked', o.id, e.contact_id, '{}'"
        " FROM outbox o JOIN enrollments e ON e.id = o.enrollment_id"
        " WHERE o.step_key = 'long' AND o.status = 'sent' AND mod(e.id, 10) = 1"
    )
    found = compared(site)
    assert found.steps[0].findings["clicked"].best == "b"
    assert found.steps[0].findings["replied"].best is None
    assert _document(found)["steps"][0]["findings"]["clicked"]["best"] == "b"
