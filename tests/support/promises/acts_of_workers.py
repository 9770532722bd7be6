"""What workers do, each a turn of the pipeline, so that anything can come between."""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from promises.acts_of_people import PICKS
from promises.provider import ANSWERS
from promises.stage import WORKERS, Stage
from promises.worker import Worker
from schema.states import RowStatus

ANSWERS_IN_TURN = st.lists(st.sampled_from(ANSWERS), min_size=1, max_size=3)


def somebody(does: Callable[[Worker], object]) -> Any:
    """Some worker has something to do."""
    return precondition(lambda self: any(does(worker) for worker in self.stage.workers.values()))


def something_is_due(self: Any) -> bool:
    """Some row may perhaps be claimed."""
    return any(row.status == RowStatus.PENDING and row.is_due for row in self.stage.promises.rows.values())


class ActsOfWorkers:
    """Rules of the machine."""

    stage: Stage

    def one_who(self, does: Callable[[Worker], object], pick: int) -> Worker:
        """One of the workers who have something to do."""
        busy = [worker for worker in self.stage.workers.values() if does(worker)]
        return busy[pick % len(busy)]

    @rule(worker=st.sampled_from(WORKERS))
    def claim(self, worker: str) -> None:
        """Somebody tells a worker of every row there is, whether it is due or not."""
        self.stage.workers[worker].claim(list(self.stage.promises.rows))

    @rule(pick=PICKS)
    @somebody(lambda worker: worker.ready)
    def begin_attempts(self, pick: int) -> None:
        """A worker writes the attempts of all that it holds."""
        self.one_who(lambda worker: worker.ready, pick).begin()

    @rule(pick=PICKS, answer=st.sampled_from(ANSWERS))
    @somebody(lambda worker: worker.begun)
    def hand_over_late(self, pick: int, answer: str) -> None:
        """A worker that was held up hands a row over."""
        self.one_who(lambda worker: worker.begun, pick).hand_over(answer, held_up=True)

    @rule(worker=st.sampled_from(WORKERS), answers=ANSWERS_IN_TURN, settles=st.booleans())
    @precondition(something_is_due)
    def deliver(self, worker: str, answers: list[str], settles: bool) -> None:
        """A worker claims, begins and hands over without anything coming between."""
        hand = self.stage.workers[worker]
        held_up = len(hand.begun)
        hand.claim(list(self.stage.promises.rows))
        hand.begin()
        for number in range(len(hand.begun)):
            hand.hand_over(answers[number % len(answers)], held_up=number < held_up)
        if settles:
            hand.settle()

    @rule(pick=PICKS)
    @somebody(lambda worker: worker.endings)
    def settle(self, pick: int) -> None:
        """A worker writes down what has ended, however long ago."""
        self.one_who(lambda worker: worker.endings, pick).settle()

    @rule(pick=PICKS, cleanly=st.booleans())
    @somebody(lambda worker: worker.ready or worker.begun or worker.endings)
    def stop(self, pick: int, cleanly: bool) -> None:
        """A worker gives back what it has not begun, or is killed."""
        worker = self.one_who(lambda worker: worker.ready or worker.begun or worker.endings, pick)
        if cleanly:
            worker.stop()
        else:
            worker.crash()
