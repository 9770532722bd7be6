"""Whatever is paused and resumed, in whatever order: the steps keep their distances, and no pause is counted twice."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pauser import Pauser
from world import World

from engine.clock import advance
from engine.wakeups import Wakeups

SCOPES = ("enrollment", "sequence", "workspace")

#: Hours that pass, and then what is paused, or resumed if it is paused already; and how.
STORIES = st.lists(st.tuples(st.integers(0, 40), st.sampled_from(SCOPES), st.booleans()), max_size=12)

#: Seconds: what an example itself takes, and more.
SLACK = 60.0

PENDING = """
SELECT extract(epoch FROM o.due_at - e.enrolled_at)::float8 FROM outbox o JOIN enrollments e ON e.id = o.enrollment_id
WHERE e.id = %s ORDER BY o.step_order
"""


class Ground:
    """One world for all examples: each enrolls somebody new, and resumes everything in the end."""

    def __init__(self, world: World, wakeups: Wakeups) -> None:
        self.world = world
        self.pausers = {scope: Pauser(world, wakeups, scope) for scope in SCOPES}
        self.paused: dict[str, float] = {}
        self.hours = 0.0
        self.still = 0.0
        self.enrollment = 0

    def begin(self) -> None:
        """Somebody new, whom nobody has paused."""
        self.paused, self.hours, self.still = {}, 0.0, 0.0
        self.enrollment = self.world.enroll()[0].enrollment_id

    def pass_by(self, hours: float) -> None:
        """Time passes; for the enrollment only if nothing is paused."""
        if hours:
            with self.world.database.transaction() as session:
                advance(session, timedelta(hours=hours))
        self.hours += hours
        self.still += hours if self.paused else 0

    def turn(self, scope: str, *, keep_times: bool = False) -> None:
        """Pause it, or resume it."""
        if self.paused.pop(scope, None) is None:
            self.paused[scope] = self.hours
            self.pausers[scope].pause(self.enrollment)
        else:
            self.pausers[scope].resume(self.enrollment, keep_times=keep_times)

    def end(self) -> None:
        """Everything is resumed."""
        for scope in tuple(self.paused):
            self.turn(scope)

    def dues(self) -> list[float]:
        """When the steps are due, in seconds after the enrollment was made."""
        return [due for (due,) in self.world.query(PENDING, self.enrollment)]


@pytest.fixture
def ground(world: World, redis_url: str) -> Iterator[Ground]:
    wakeups = Wakeups(redis_url)
    yield Ground(world, wakeups)
    wakeups.close()


def test_what_remained_is_what_had_remained(ground: Ground) -> None:
    @settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
    @given(story=STORIES)
    def tell(story: list[tuple[int, str, bool]]) -> None:
        ground.begin()
        for hours, scope, _ in story:
            ground.pass_by(hours)
            ground.turn(scope)
        ground.end()
        for number, due in enumerate(ground.dues()):
            assert abs(due - number * 86_400 - ground.still * 3_600) < SLACK

    tell()


def test_no_two_steps_come_closer_and_none_comes_earlier(ground: Ground) -> None:
    @settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
    @given(story=STORIES)
    def tell(story: list[tuple[int, str, bool]]) -> None:
        ground.begin()
        last = ground.dues()
        for hours, scope, keep_times in story:
            ground.pass_by(hours)
            ground.turn(scope, keep_times=keep_times)
            dues = ground.dues()
            assert [round(due - dues[0]) for due in dues] == [0, 86_400, 172_800]
            assert all(now >= before for now, before in zip(dues, last, strict=True))
            last = dues
        ground.end()

    tell()
