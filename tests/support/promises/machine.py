"""Workers, a sweeper, a reconciler, a provider, people and an operator: in whatever order Hypothesis has them act."""

import sys
from threading import Event
from typing import ClassVar

from awaiting import awaiting
from counting import DIFFERENCES
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant

from engine.outbox.counters import fold
from promises.acts_of_people import ActsOfPeople
from promises.acts_of_servers import ActsOfServers
from promises.acts_of_workers import ActsOfWorkers
from promises.ending import all_reports_are_heard, is_over, nothing_is_lost
from promises.stage import Site, Stage


class Histories(ActsOfPeople, ActsOfWorkers, ActsOfServers, RuleBasedStateMachine):
    """One history after another on the same site."""

    site: ClassVar[Site]

    def __init__(self) -> None:
        """Know nothing; `begin` empties the ground."""
        super().__init__()
        self._outer = sys.exc_info()[1]

    @initialize(guarantee=st.sampled_from(["at_most_once", "at_least_once"]))
    def begin(self, guarantee: str) -> None:
        """Two people are in the long sequence, and one of them in the others too."""
        self.stage = Stage(self.site, guarantee)
        for person, sequence in ((1, "long"), (1, "short"), (1, "mail"), (2, "long")):
            self.enroll(person, sequence, again=False)

    @invariant()
    def promises_hold(self) -> None:
        """After everything that happens."""
        self.stage.promises.hold()

    @invariant()
    def counters_are_exact(self) -> None:
        """After everything that happens, folded or not."""
        ground = self.stage.ground
        assert ground.query(DIFFERENCES) == []
        if self.stage.next_number() % 3 == 0:
            fold(ground.database)

    def teardown(self) -> None:
        """Whatever has happened: when all is quiet, every row was accepted once, or says why not."""
        if sys.exc_info()[1] is not self._outer or not hasattr(self, "stage"):
            return  # it has failed already
        stage = self.stage
        self.become_quiet()
        nothing_is_lost(stage.promises)
        for accepted in stage.provider.texts():
            stage.report(accepted, "delivered")
        stage.promises.hold()
        all_reports_are_heard(stage.promises)

    def become_quiet(self) -> None:
        """No more trouble: each worker settles and ends, and a new one does what the sweeper finds."""
        stage = self.stage
        self.resume_everything()
        stage.provider.mood = "answers"
        for worker in stage.workers.values():
            worker.settle()
        last = stage.new_worker()
        for _ in range(20):
            stage.ground.let_pass(1_000)
            stage.sweep()
            stage.reconciler.reconcile(Event())
            stage.promises.hold()
            if is_over(stage.promises):
                break
            last.take(self.found_by_the_sweeper())
            while last.begun:
                last.hand_over("accepted", held_up=False)
            last.settle()
            stage.promises.hold()
            self.the_clock_is_moved(25)

    def found_by_the_sweeper(self) -> list[int]:
        """The rows that a sweep wakes: all that is left when Redis was lost."""
        with self.stage.ground.database.transaction() as session:
            return awaiting(session, horizon=0)
