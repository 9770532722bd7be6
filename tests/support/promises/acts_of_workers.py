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
    @precondition(something_is_due)
    def take(self, worker: str) -> None:
        """Somebody tells a worker of every row there is; it takes those that may go, and then is held up."""
        self.stage.workers[worker].take(list(self.stage.promises.rows))

    @rule(pick=PICKS, answer=st.sampled_from(ANSWERS))
    @somebody(lambda worker: worker.begun)
    def hand_over_late(self, pick: int, answer: str) -> None:
        """A worker that was held up hands a row over."""
        self.one_who(lambda worker: worker.begun, pick).hand_over(answer, held_up=True)

    @rule(worker=st.sampled_from(WORKERS), answers=ANSWERS_IN_TURN, settles=st.booleans())
    @precondition(something_is_due)
    def deliver(self, worker: str, answers: list[str], settles: bool) -> None:
        """A worker takes rows and hands them over without anything coming between."""
        hand = self.stage.workers[worker]
        held_up = len(hand.begun)
        hand.take(list(self.stage.promises.rows))
        for number in range(len(hand.begun)):
            hand.hand_over(answers[number % len(answers)], held_up=number < held_up)
        if settles:
            hand.settle()

    @rule(pick=PICKS)
    @somebody(lambda worker: worker.endings)
    def settle(self, pick: int) -> None:
        """A worker writes down what has ended, however long ago."""
        self.one_who(lambda worker: worker.endings, pick).settle()

    @rule(pick=PICKS)
    @somebody(lambda worker: worker.begun or worker.endings)
    def crash(self, pick: int) -> None:
        """A worker is killed."""
        self.one_who(lambda worker: worker.begun or worker.endings, pick).crash()
