"""Scenario 25: what is due in seconds, behind a hundred thousand rows that are due in two weeks."""

from stage import Play, wait_for

PEOPLE, STEPS, SOON = 10_000, 10, 100

FAR = "sequence: far\nsteps:\n" + "".join(
    f"  - {{key: s{number}, type: sms, delay: {delay}, body: Far}}\n"
    for number, delay in enumerate(["14 days"] + ["1 minute"] * (STEPS - 1))
)
NEAR = "sequence: near\nsteps: [{key: only, type: sms, body: Near}]"

#: Real seconds. The scenario's 5 are kept by far where nothing else runs; this is for a machine that is busy.
LATEST = 30.0

P99 = "SELECT percentile_cont(0.99) WITHIN GROUP (ORDER BY lateness_seconds) FROM attempts"


def test_25_a_hundred_due_soon_before_a_hundred_thousand_that_are_not(play: Play) -> None:
    """None of those that are far away is looked at meanwhile, so they delay nobody."""
    stage = play.stage
    workers = stage.workers()
    play.publish(FAR)
    play.publish(NEAR)
    stage.wakeups.schedule(play.fill(PEOPLE, "far"))
    assert stage.wakeups.counts()["waiting"] == PEOPLE * STEPS
    wait_for(lambda: "leading the sweep" in workers.log.read_text(), "they work")
    stage.wakeups.schedule(play.fill(SOON, "near", after=5.0))
    play.until(sent=SOON, pending=PEOPLE * STEPS)
    assert stage.wakeups.counts()["waiting"] == PEOPLE * STEPS
    play.judge(once=SOON)
    ((late,),) = play.query(P99)
    print(f"late at the 99th percentile: {late:.2f} s")
    assert late < LATEST
