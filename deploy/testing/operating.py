"""What operators, people and providers do, for a test: every method returns when what follows has been settled."""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, Literal, TypeAlias

from deploy.sandbox.client import SandboxClient
from engine.database import Database
from engine.outbox.listing import page
from engine.wakeups import Due, Wakeups
from producers import altering, pausing, steering
from producers.inbound import InboundMessage, receive
from producers.migrating import plan_migration, run_migration
from producers.operator import Operator
from producers.signals import About, Heard, take_signal
from producers.tasks import acts
from producers.tasks.listing import Task, Wanted
from producers.tasks.listing import tasks as list_tasks
from producers.tenants import Tenant
from producers.workspaces import find_workspace
from schema.definition import parse_delay, parse_duration
from schema.states import SignalKind, TaskState

How: TypeAlias = Literal["refused", "not_now", "no_answer"]

WHO: Final = Operator("default", "test")

#: How the sandbox fails: the kind of fault, its stage, and more about it.
FAULTS: Final[dict[tuple[str, How], tuple[str, str | None, dict[str, object]]]] = {
    ("sms", "refused"): ("reply", None, {"status": 400, "code": 21617}),
    ("sms", "not_now"): ("reply", None, {"status": 429}),
    ("sms", "no_answer"): ("reply", "request", {"status": 500}),
    ("email", "refused"): ("reply", "rcpt", {"code": 550, "text": "5.6.0 no"}),
    ("email", "not_now"): ("reply", "rcpt", {"code": 452, "text": "4.2.2 mailbox full"}),
    ("email", "no_answer"): ("drop", "accepted", {}),
}


class Operating:
    """The part of the fixture that acts for people. `settle` waits for the workers."""

    _database: Database
    _wakeups: Wakeups
    _provider: SandboxClient

    def settle(self) -> None:
        """Wait until the workers have done all that is due."""
        raise NotImplementedError

    def pause(self, enrollment: int | None = None, *, sequence: str | None = None) -> None:
        """Pause an enrollment, or a sequence; without either the whole workspace."""
        if enrollment is not None:
            pausing.pause_enrollment(self._database, WHO, enrollment)
        else:
            pausing.pause_all(self._database, WHO, sequence)
        self.settle()

    def resume(self, enrollment: int | None = None, *, sequence: str | None = None, clock_ran_on: bool = False) -> None:
        """Resume it; `clock_ran_on`: steps keep their times."""
        if enrollment is not None:
            pausing.resume_one(self._database, self._wakeups, WHO, enrollment, keep_times=clock_ran_on)
        else:
            pausing.resume_all(self._database, self._wakeups, WHO, sequence, keep_times=clock_ran_on)
        self.settle()

    def cancel(self, enrollment: int) -> None:
        """Cancel an enrollment."""
        steering.cancel(self._database, WHO, enrollment)
        self.settle()

    def skip(self, enrollment: int, step: str, *, to: bool = False) -> None:
        """Skip a step; with `to` all steps before it."""
        steering.skip(self._database, self._wakeups, WHO, enrollment, step, to=to)
        self.settle()

    def reschedule(self, enrollment: int, step: str, *, delay: str | None = None, at: datetime | None = None) -> None:
        """Give a step of one enrollment another delay, or a moment with its zone."""
        wanted = None if delay is None else parse_delay(delay)
        altering.reschedule(self._database, self._wakeups, WHO, enrollment, step, delay=wanted, at=at)
        self.settle()

    def delete_step(self, enrollment: int, step: str) -> None:
        """Take a step out of one enrollment, also an active task."""
        altering.delete_step(self._database, self._wakeups, WHO, enrollment, step, active=True)
        self.settle()

    def migrate(self, sequence: str) -> None:
        """Move the running enrollments of a sequence to its newest version."""
        plan = plan_migration(self._database, WHO.workspace, sequence, None, None)
        run_migration(self._database, self._wakeups, WHO, plan.target)
        self.settle()

    def tasks(self, enrollment: int | None = None, *, state: str | None = "active") -> Sequence[Task]:
        """Return tasks in a state (None: in any), those that are due first at the top."""
        states = tuple(TaskState) if state is None else (TaskState(state),)
        with self._database.transaction() as session:
            workspace = find_workspace(session, WHO.workspace).id
            return list_tasks(session, workspace, states, Wanted(enrollment_id=enrollment))

    def skip_task(self, enrollment: int, step: str) -> None:
        """Leave a task undone."""
        with self._database.transaction() as session:
            acted = acts.skip(session, find_workspace(session, WHO.workspace).id, enrollment, step, by=WHO.name)
        self._go_on(acted.wakeups)

    def snooze(self, enrollment: int, step: str, by: str | timedelta) -> None:
        """Put a task off: `snooze(ada, "ring", "2 hours")`."""
        time = by if isinstance(by, timedelta) else parse_duration(by)
        with self._database.transaction() as session:
            acted = acts.snooze(session, find_workspace(session, WHO.workspace).id, enrollment, step, time)
        self._go_on(acted.wakeups)

    def reply(self, enrollment: int, text: str = "Thank you") -> None:
        """Let the contact write back: by SMS if it has a phone, else by email. `reply(ada, "STOP")` opts out."""
        with self._database.transaction() as session:
            mine = find_workspace(session, WHO.workspace)
            (one,) = page(session, mine.id, None, None, enrollment - 1, 1)
            phone = one.named_by["phone"]
            if phone is None:
                taken = take_signal(session, mine, Heard(SignalKind.REPLIED, About(enrollment_id=enrollment)))
                due = taken.wakeups
            else:
                tenant = Tenant(mine.id, mine.name, mine.region, "")
                message = InboundMessage(f"SM{secrets.token_hex(16)}", phone, text, None, {"From": phone, "Body": text})
                due = receive(session, tenant, message).wakeups
        self._go_on(due)

    def stop(self, enrollment: int) -> None:
        """Let the contact opt out by a text message with STOP; it needs a phone."""
        self.reply(enrollment, "STOP")

    def bounce(self, enrollment: int, step: str) -> None:
        """Let an email bounce: nobody has its address."""
        self._hear(Heard(SignalKind.BOUNCED, About(enrollment_id=enrollment, step=step)))

    def provider_fails(self, channel: Literal["sms", "email"], how: How = "refused", times: int = 1) -> None:
        """Let the provider of a channel fail so many times from now on.

        `refused` is for good, after `not_now` a message is tried again, and after `no_answer` nobody knows: an SMS is
        looked up, an email waits for `cadenza review`.
        """
        kind, stage, details = FAULTS[channel, how]
        self._provider.add_fault(channel, kind, stage, times=times, **details)

    def _hear(self, heard: Heard) -> None:
        with self._database.transaction() as session:
            taken = take_signal(session, find_workspace(session, WHO.workspace), heard)
        self._go_on(taken.wakeups)

    def _go_on(self, due: list[Due]) -> None:
        self._wakeups.schedule(due)
        self.settle()
