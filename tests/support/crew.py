"""Worker processes that stand still until they are needed, and are struck one by one, each at its worst moment.

Starting a process costs more than a scenario itself, and a lease takes its time to end: so all are started together,
and the leases of all end together.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final

from group import Group, enroll_together
from stage import PATIENCE, Play, wait_for

from deploy.chaos.children import Workers
from deploy.chaos.proxy import Proxy
from deploy.chaos.trap import Moment, Strike, Trap

#: Of those that are struck: their leases have to end, and none of them leads. Real seconds.
VICTIM: Final = {"lease_seconds": 5.0, "in_flight": 10, "sweep_seconds": 3_600.0}

#: Of the one that goes on after them: nothing that it does itself is a matter of seconds, and it looks up soon.
SURVIVOR: Final = {"lease_seconds": 60.0, "reconcile_grace_seconds": 1.0, "reconcile_interval_seconds": 0.5}

#: How many times somebody leads: the sweep, and the look-ups.
LEADERS: Final = """
SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
WHERE l.locktype = 'advisory' AND d.datname = current_database()
"""

#: Where dramatiq notes which processes listen.
LISTENING: Final = "{cadenza}:__heartbeats__"


@dataclass(frozen=True)
class Struck(Group):
    """People whose messages a process had in its hands when it was struck."""

    victim: int
    proxy: Proxy
    trap: Trap
    then: dict[str, int]
    """How many of their rows had each status at that moment."""
    begun: int
    """How many of them had an attempt then."""


@dataclass
class Crew:
    """Victims, and a survivor."""

    play: Play
    survivor: Workers
    victims: Workers
    standing_by: list[int]

    @contextmanager
    def without_survivor(self) -> Iterator[None]:
        """Meanwhile the survivor stands still: nobody works but a victim, no lease ends and nothing is looked up."""
        (pid,) = self.survivor.children()
        self.survivor.freeze(pid)
        try:
            yield
        finally:
            self.survivor.thaw(pid)

    def kill(
        self, proxy: Proxy, *words: bytes, moment: Moment = Moment.ANSWERED, times: int = 1, people: int = 1
    ) -> Struck:
        """Let a victim work, and end it with SIGKILL at that moment of a conversation."""
        return self._strike(self.victims.kill, proxy, words, moment, times, enroll_together(self.play, people))

    def freeze(self, proxy: Proxy, *words: bytes, moment: Moment = Moment.ANSWERED) -> Struck:
        """Let a victim work, and stop it with SIGSTOP at that moment of a conversation."""
        return self._strike(self.victims.freeze, proxy, words, moment, 1, enroll_together(self.play, 1))

    def stall(self, proxy: Proxy, *words: bytes, moment: Moment = Moment.ANSWERED, people: int = 1) -> Struck:
        """Let a victim work, and that conversation stand still at that moment; it does whatever else it does."""
        return self._strike(lambda _: None, proxy, words, moment, 1, enroll_together(self.play, people))

    @contextmanager
    def thawed(self, group: Struck) -> Iterator[None]:
        """Let a victim go on that was stopped, and pass on what was held back from it; at the end it is killed."""
        group.proxy.release(group.trap)
        self.victims.thaw(group.victim)
        try:
            yield
        finally:
            self.victims.kill(group.victim)

    def _strike(
        self,
        strike: Callable[[int], None],
        proxy: Proxy,
        words: tuple[bytes, ...],
        moment: Moment,
        times: int,
        group: Group,
    ) -> Struck:
        victim = self.standing_by.pop()
        trap = proxy.trap(*words, strike=Strike.STALL, moment=moment, times=times, then=lambda: strike(victim))
        self.victims.thaw(victim)
        assert trap.wait(PATIENCE), f"struck {trap.struck} of {times} times"
        return Struck(self.play, group.rows, victim, proxy, trap, dict(group.statuses()), len(group.attempts()))


@contextmanager
def open_crew(play: Play, victims: int) -> Iterator[Crew]:
    """Start a survivor, who leads, and so many victims, who stand still; none of them is replaced."""
    stage = play.stage
    with ExitStack() as stack:
        survivor = stage.workers(**SURVIVOR)
        wait_for(lambda: play.query(LEADERS) == [(2,)], "the survivor leads")
        group = stage.workers(victims, **VICTIM)
        pids = group.wait_for_children()
        wait_for(lambda: stage.redis.zcard(LISTENING) == 1 + victims, "all of them listen")
        for pid in pids:
            group.freeze(pid)
        stack.enter_context(group.without_replacement())
        stack.callback(group.process.terminate)  # before it goes on, so that it replaces nobody any more
        yield Crew(play, survivor, group, pids)
