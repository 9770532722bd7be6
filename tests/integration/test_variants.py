"""Variants, over real databases and workers."""

from people_at_work import until_step
from stage_site import Site

from deploy.audit import audit
from engine.rules.variants import choose

SPLIT = """
sequence: split
reentry: always
steps:
  - key: which
    type: variants
    variants:
      short: {steps: [{key: brief, type: sms, body: Hi}]}
      long: {steps: [{key: wordy, type: sms, body: Good morning to you}]}
      none: {}
  - {key: bye, type: sms, delay: 1 day, body: Bye}
"""


def test_each_contact_gets_the_same_variant_each_time(site: Site) -> None:
    site.world.publish(SPLIT)
    for _ in range(2):
        site.world.enrolled = 0
        site.enroll("split", count=15)
    with site.working():
        until_step(site, "which", "done")
        site.jump(1)
        until_step(site, "bye", "sent")
    ((sequence,),) = site.world.query("SELECT id FROM sequences WHERE key = 'split'")
    rows = site.world.query(
        "SELECT e.contact_id, o.outcome FROM outbox o JOIN enrollments e ON e.id = o.enrollment_id"
        " WHERE o.step_key = 'which'"
    )
    assert len(rows) == 30
    weights = {"short": 1, "long": 1, "none": 1}
    assert all(outcome == choose(weights, sequence, "which", contact) for contact, outcome in rows)
    assert {outcome for _, outcome in rows} == set(weights)
    taken = {"short": "brief", "long": "wordy"}
    for name, key in taken.items():
        statuses = site.world.query(
            "SELECT w.outcome, o.status, o.reason FROM outbox o JOIN outbox w ON w.enrollment_id = o.enrollment_id"
            " AND w.step_key = 'which' WHERE o.step_key = %s",
            key,
        )
        assert {(outcome == name, status) for outcome, status, _ in statuses} == {(True, "sent"), (False, "skipped")}
        assert {reason for outcome, _, reason in statuses if outcome == "none"} == {
            f"branch {name} not taken: which came to none"
        }
    assert audit(site.world.database, site.sandbox.ledger).clean
