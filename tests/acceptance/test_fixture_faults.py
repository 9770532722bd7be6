"""The pytest fixture as those use it who test their sequences; and faults that were, each as a test written with it."""

from datetime import timedelta
from pathlib import Path

import pytest

from deploy.testing.cadenza import Cadenza
from engine.errors import InvalidInput

CALLS = """
sequence: calls
name: Calls
steps:
  - {key: one, type: call}
  - {key: two, type: call, delay: 1 day}
  - {key: three, type: email, delay: 1 day, subject: Three, text: Three}
"""

WAITING = """
sequence: waiting
steps:
  - {key: a, type: email, subject: A, text: A}
  - {key: heard, type: wait, until: {replied: true, within: 30 days}}
  - {key: b, type: email, delay: 1 day, subject: B, text: B}
"""

TEXTS = """
sequence: texts
quiet_hours: off
steps:
  - {key: hello, type: sms, body: Hi}
  - {key: mail, type: email, delay: 1 day, subject: Mail, text: Mail}
  - {key: bye, type: sms, delay: 1 day, body: Bye}
"""

ADA = {"email": "ada@example.com", "phone": "+12025550101", "timezone": "UTC"}


def begin(cadenza: Cadenza, folder: Path, text: str, **contact: str) -> int:
    """Apply a file, and enroll Ada."""
    (folder / "sequence.yaml").write_text(text)
    cadenza.apply(folder / "sequence.yaml")
    return cadenza.enroll(text.split()[1], **(contact or ADA))


def sent(cadenza: Cadenza) -> list[str | None]:
    return [message.step for message in cadenza.sent()]


def test_no_email_goes_out_early_behind_a_task_that_was_skipped_late(cadenza: Cadenza, tmp_path: Path) -> None:
    ada = begin(cadenza, tmp_path, CALLS)
    cadenza.advance("10 days")
    cadenza.skip_task(ada, "one")
    cadenza.delete_step(ada, "two")
    assert sent(cadenza) == []
    cadenza.advance("23 hours")
    assert sent(cadenza) == []
    cadenza.advance("2 hours")
    assert sent(cadenza) == ["three"]


def test_a_pause_counts_once_for_what_happens_during_it(cadenza: Cadenza, tmp_path: Path) -> None:
    ada = begin(cadenza, tmp_path, CALLS)
    cadenza.pause(ada)
    cadenza.advance("3 days")
    cadenza.complete(ada, "one")
    cadenza.resume(ada)
    cadenza.advance("23 hours")
    assert [task.step for task in cadenza.tasks(ada)] == []
    cadenza.advance("2 hours")
    assert [task.step for task in cadenza.tasks(ada)] == ["two"]


@pytest.mark.parametrize("whole", [False, True], ids=["enrollment", "sequence"])
def test_a_reply_during_a_pause_is_not_lost(cadenza: Cadenza, tmp_path: Path, whole: bool) -> None:
    ada = begin(cadenza, tmp_path, WAITING, email="ada@example.com")
    scope = {"sequence": "waiting"} if whole else {"enrollment": ada}
    cadenza.pause(**scope)  # type: ignore[arg-type]
    cadenza.advance("5 days")
    cadenza.reply(ada)
    cadenza.resume(**scope)  # type: ignore[arg-type]
    cadenza.advance("25 hours")
    assert sent(cadenza) == ["a", "b"]


def test_skipping_ahead_passes_over_open_tasks_and_waits(cadenza: Cadenza, tmp_path: Path) -> None:
    ada = begin(cadenza, tmp_path, CALLS)
    cadenza.skip(ada, "three", to=True)
    assert [step["status"] for step in cadenza.explain(ada).steps][:2] == ["skipped", "skipped"]
    cadenza.advance("25 hours")
    assert sent(cadenza) == ["three"]


def test_a_task_with_outcomes_needs_one(cadenza: Cadenza, tmp_path: Path) -> None:
    ada = begin(cadenza, tmp_path, CALLS.replace("key: one, type: call", "key: one, type: call, outcomes: [yes_, no_]"))
    with pytest.raises(InvalidInput, match="one of yes_, no_"):
        cadenza.complete(ada, "one")
    cadenza.complete(ada, "one", "yes_")
    assert cadenza.explain(ada).steps[0]["outcome"] == "yes_"


def test_enrolling_in_a_sequence_that_does_not_exist_fails(cadenza: Cadenza, tmp_path: Path) -> None:
    ada = begin(cadenza, tmp_path, "sequence: outer\nsteps: [{key: go, type: action, enroll_in: nosuch}]")
    assert cadenza.explain(ada).steps[0]["status"] == "failed"


def test_the_name_of_an_enrollment_stays(cadenza: Cadenza, tmp_path: Path) -> None:
    ada = begin(cadenza, tmp_path, CALLS)
    before = cadenza.explain(ada).name
    (tmp_path / "sequence.yaml").write_text(CALLS.replace("name: Calls", "name: Rings"))
    cadenza.apply(tmp_path / "sequence.yaml")
    assert cadenza.explain(ada).name == before
    cadenza.migrate("calls")
    assert cadenza.explain(ada).version == 2


def test_what_operators_do(cadenza: Cadenza, tmp_path: Path) -> None:
    ada = begin(cadenza, tmp_path, TEXTS)
    cadenza.reschedule(ada, "mail", delay="3 days")
    cadenza.advance("2 days")
    assert sent(cadenza) == ["hello"]
    cadenza.reschedule(ada, "mail", at=cadenza.now() + timedelta(hours=1))
    cadenza.advance("2 hours")
    assert sent(cadenza) == ["hello", "mail"]
    cadenza.cancel(ada)
    cadenza.advance("10 days")
    assert sent(cadenza) == ["hello", "mail"]
    assert cadenza.explain(ada).exit_reason == "operator"


def test_what_people_who_work_tasks_do(cadenza: Cadenza, tmp_path: Path) -> None:
    ada = begin(cadenza, tmp_path, CALLS)
    cadenza.snooze(ada, "one", "2 hours")
    assert [task.state.value for task in cadenza.tasks(ada, state=None)] == ["pending", "pending"]
    cadenza.advance("3 hours")
    assert [task.step for task in cadenza.tasks()] == ["one"]


@pytest.mark.parametrize(("act", "reason"), [("reply", "replied"), ("stop", "unsubscribed")])
def test_a_reply_and_a_stop_end_it(cadenza: Cadenza, tmp_path: Path, act: str, reason: str) -> None:
    ada = begin(cadenza, tmp_path, TEXTS)
    getattr(cadenza, act)(ada)
    cadenza.advance("5 days")
    assert sent(cadenza) == ["hello"]
    assert cadenza.explain(ada).exit_reason == reason


def test_a_bounce_ends_it(cadenza: Cadenza, tmp_path: Path) -> None:
    ada = begin(cadenza, tmp_path, TEXTS)
    cadenza.advance("25 hours")
    cadenza.bounce(ada, "mail")
    cadenza.advance("5 days")
    assert sent(cadenza) == ["hello", "mail"]
    assert cadenza.explain(ada).exit_reason == "bounced"


@pytest.mark.parametrize(
    ("how", "status", "times"),
    [("refused", "failed", 0), ("not_now", "sent", 1), ("no_answer", "sent", 1)],
)
def test_a_provider_fails(cadenza: Cadenza, tmp_path: Path, how: str, status: str, times: int) -> None:
    cadenza.provider_fails("sms", how)  # type: ignore[arg-type]
    ada = begin(cadenza, tmp_path, TEXTS)
    assert cadenza.explain(ada).steps[0]["status"] == status
    assert sent(cadenza) == ["hello"] * times


def test_a_mail_server_fails(cadenza: Cadenza, tmp_path: Path) -> None:
    ada = begin(cadenza, tmp_path, WAITING, email="ada@example.com")
    bob = cadenza.enroll("waiting", email="bob@example.com")
    cadenza.provider_fails("email", "no_answer")
    eve = cadenza.enroll("waiting", email="eve@example.com")
    assert [cadenza.explain(one).steps[0]["status"] for one in (ada, bob, eve)] == ["sent", "sent", "review"]
