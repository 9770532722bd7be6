"""Scenario 7 once more: the worker process that is stopped is the one that leads. At full length only.

It takes a minute: those who would take over wait for half of that before they take it for one that hangs.
"""

from group import enroll_together
from stage import FULL, PATIENCE, Play, wait_for

from deploy.chaos.trap import Strike

#: The request that sends a text message.
POST = b"POST /2010-04-01/"

if FULL:

    def test_07_stopped_beyond_its_lease_while_it_leads(play: Play) -> None:
        """Another takes over the sweep and the look-ups and settles what is in doubt; the late word changes nothing."""
        proxy = play.stage.sms_proxy
        first = play.stage.workers(lease_seconds=5)
        (leader,) = first.wait_for_children()
        wait_for(lambda: "leading the sweep" in first.log.read_text(), "it leads")
        trap = proxy.trap(POST, strike=Strike.STALL, then=lambda: first.freeze(leader))
        in_doubt = enroll_together(play, 1)
        assert trap.wait(PATIENCE)
        second = play.stage.workers(lease_seconds=60)
        lost = enroll_together(play, 20, hinted=False)
        lost.judge()
        in_doubt.judge()
        log = second.log.read_text()
        assert "the leader hangs: taking over" in log
        assert "the reconciler hangs: taking over" in log
        proxy.release()
        first.thaw(leader)
        assert first.terminate() == 0  # once it has had its late word
        in_doubt.judge()
