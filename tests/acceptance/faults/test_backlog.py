"""Scenario 25: what is due in seconds, behind a hundred thousand rows that are due in two weeks."""

from stage import Play, wait_for

FAR = "sequence: far\nsteps: [{key: only, type: sms, delay: 14 days, body: Far}]"
NEAR = "sequence: near\nsteps: [{key: only, type: sms, body: Near}]"
FAR_AWAY, SOON = 100_000, 100

P99 = "SELECT percentile_cont(0.99) WITHIN GROUP (ORDER BY lateness_seconds) FROM attempts"


def test_25_a_hundred_due_soon_before_a_hundred_thousand_that_are_not(play: Play) -> None:
    stage = play.stage
    play.publish(FAR)
    play.publish(NEAR)
    stage.wakeups.schedule(play.fill(FAR_AWAY, "far"))
    workers = stage.workers()
    workers.wait_for_children()
    wait_for(lambda: "leading the sweep" in workers.log.read_text(), "they work")
    stage.wakeups.schedule(play.fill(SOON, "near", after=5.0))
    play.until(sent=SOON, pending=FAR_AWAY)
    assert stage.wakeups.counts()["waiting"] == FAR_AWAY
    play.judge(once=SOON)
    ((late,),) = play.query(P99)
    print(f"late at the 99th percentile: {late:.2f} s")
    assert late < 5
