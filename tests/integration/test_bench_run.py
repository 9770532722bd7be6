"""A run of the benchmark goes on when one measure can't be taken, and tells which."""

from collections.abc import Sequence

from deploy.bench.children import BrokenChild
from deploy.bench.ground import Ground
from deploy.bench.measure import LeftOut, Result
from deploy.bench.measures.queue import redis_bytes_per_step
from deploy.bench.parts import Part
from deploy.bench.run import measure


def left_out(_ground: Ground) -> Sequence[Result]:
    raise LeftOut("not on this machine")


def broken(_ground: Ground) -> Sequence[Result]:
    raise BrokenChild("a worker has ended")


def test_what_can_not_be_measured_is_told_and_the_rest_is_measured() -> None:
    parts = [
        Part(("one", "two"), left_out, "embedded"),
        Part(("three",), broken, "embedded"),
        Part(("redis_bytes_per_step",), lambda ground: [redis_bytes_per_step(ground)], "embedded"),
    ]
    run = measure(parts, quick=True)
    assert run.left_out == {"one, two": "not on this machine"}
    assert run.broken == {"three": "a worker has ended"}
    assert [result.measure for result in run.results] == ["redis_bytes_per_step", "claimed_twice"]
    assert len(run.machines) == 1
