"""What happens by itself: time passes, the leader sweeps and looks up, providers report, servers lose what they had."""

from datetime import timedelta
from threading import Event

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from engine import clock
from engine.outbox.evidence import Evidence, accept_evidence
from promises.acts_of_people import PICKS
from promises.stage import WORKERS, Stage
from schema.states import RowStatus

#: Real seconds that pass: none to speak of, most of a lease, a lease, the grace time, and more than a day.
TIMES = (1, 50, 61, 61, 700, 700, 90_000)

STATUSES = ("queued", "sent", "delivered", "undelivered")

MOODS = ("answers", "answers", "fails", "refuses")


class ActsOfServers:
    """Rules of the machine."""

    stage: Stage

    @rule(seconds=st.sampled_from(TIMES), sweeps=st.sampled_from([True, True, False]), redis_is_lost=st.booleans())
    def time_passes(self, seconds: int, sweeps: bool, redis_is_lost: bool) -> None:
        """Real time, for everybody; P6: the leader sweeps, whether Redis has lost its wake-ups or not."""
        self.stage.ground.let_pass(seconds)
        if redis_is_lost:
            self.stage.site.redis.flushdb()
        if sweeps:
            self.stage.sweep()

    @rule(hours=st.sampled_from([1, 25, 49]))
    def the_clock_is_moved(self, hours: int) -> None:
        """The sequence clock jumps."""
        since = self.stage.ground.sequence_now()
        with self.stage.ground.database.transaction() as session:
            clock.advance(session, timedelta(hours=hours))
        self.stage.ground.jumped()
        self.stage.promises.jumped(since)

    @rule()
    @precondition(lambda self: any(row.status == RowStatus.UNKNOWN for row in self.stage.promises.rows.values()))
    def reconcile(self) -> None:
        """The reconciler looks up what is in doubt."""
        self.stage.reconciler.reconcile(Event())

    @rule(killed=st.sets(st.sampled_from(WORKERS)))
    def back_up_or_restore(self, killed: set[str]) -> None:
        """A backup is made, or read back; workers that live settle what they have as soon as the database answers."""
        stage = self.stage
        if not stage.ground.has_a_backup:
            stage.ground.back_up()
            stage.sweep()  # a backup that is younger than a heartbeat is not noticed (docs/guarantees.md)
            return
        stage.ground.restore()
        stage.promises.restored()
        stage.has_compared = False
        for name, worker in stage.workers.items():
            if name in killed:
                worker.crash()
            worker.settle()
        kept = {enrollment for (enrollment,) in stage.ground.query("SELECT id FROM enrollments")}
        stage.enrolled = {who: enrolled for who, enrolled in stage.enrolled.items() if enrolled.id in kept}

    @rule(mood=st.sampled_from(MOODS), lists_late=st.booleans(), discards=st.booleans())
    def the_provider_changes(self, mood: str, lists_late: bool, discards: bool) -> None:
        """How it answers look-ups, and what it keeps of messages."""
        provider = self.stage.provider
        provider.mood, provider.lists_late, provider.discards = mood, lists_late, discards

    @rule(pick=PICKS, status=st.sampled_from(STATUSES), astray=st.booleans())
    @precondition(lambda self: self.stage.provider.texts())
    def a_delivery_is_reported(self, pick: int, status: str, astray: bool) -> None:
        """A status callback, in whatever order and however often; or one that came to another workspace."""
        texts = self.stage.provider.texts()
        accepted = texts[pick % len(texts)]
        if not astray:
            self.stage.report(accepted, status)
            return
        with self.stage.ground.database.transaction() as session:
            assert accept_evidence(session, self.stage.ground.clock, Evidence(2, *accepted.attempt, "SMstray")) == []
