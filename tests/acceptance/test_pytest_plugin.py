"""The pytest fixture `cadenza`, as users have it: a test file of theirs, run by pytest in a folder of its own."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

SEQUENCE: Final = """
sequence: onboarding
window: {days: [mon, tue, wed, thu, fri], from: "09:00", to: "17:00"}
quiet_hours: off
goal: {event: paid}
steps:
  - {key: welcome, type: email, subject: "Welcome, {{ contact.first_name }}", text: "Your plan: {{ custom.plan }}"}
  - {key: ring, type: call, delay: 2 days, outcomes: [reached, not_reached]}
  - key: reached
    type: condition
    if: {outcome: {ring: reached}}
    then: [{key: thanks, type: sms, delay: 1 day, body: "Thanks, {{ contact.first_name }}"}]
    else: [{key: sorry, type: email, delay: 1 week, subject: Sorry, text: We have not reached you}]
  - {key: bye, type: email, delay: 1 week, subject: Bye, text: Bye}
"""

TESTS: Final = """
from datetime import timedelta

ADA = {"email": "ada@example.com", "phone": "+12025550101", "first_name": "Ada", "timezone": "UTC", "plan": "pro"}


def begin(cadenza):
    cadenza.apply("onboarding.yaml")
    cadenza.go_to(cadenza.now().replace(hour=10) + timedelta(days=7 - cadenza.now().weekday()))  # a Monday
    return cadenza.enroll("onboarding", **ADA)


def test_two_weeks(cadenza):
    ada = begin(cadenza)
    (welcome,) = cadenza.sent()
    assert (welcome.channel, welcome.to) == ("email", "ada@example.com")
    assert (welcome.subject, welcome.text) == ("Welcome, Ada", "Your plan: pro")
    cadenza.advance("2 days")
    cadenza.complete(ada, "ring", "reached", by="nina")
    cadenza.advance("14 days")
    assert [(one.step, one.text) for one in cadenza.sent()[1:]] == [("thanks", "Thanks, Ada"), ("bye", "Bye")]
    assert [(one.at - welcome.at).days for one in cadenza.sent()[1:]] == [3, 10]
    assert all(one.at.weekday() < 5 and 9 <= one.at.hour < 17 for one in cadenza.sent())
    assert cadenza.explain(ada).status == "completed"


def test_who_has_paid_hears_nothing_more(cadenza):
    ada = begin(cadenza)
    cadenza.event("custom", email="ada@example.com", name="paid")
    cadenza.advance("30 days")
    assert [one.step for one in cadenza.sent()] == ["welcome"]
    assert cadenza.explain(ada).exit_reason == "goal"
"""

NOTHING: Final = """
import sys


def test_nothing():
    loaded = {name.partition(".")[0] for name in sys.modules}
    assert not loaded & {"engine", "workers", "producers", "schema", "psycopg", "redis", "dramatiq"}
"""


def run_pytest(folder: Path, text: str) -> str:
    """Run a user's tests; real providers in the environment are left alone."""
    (folder / "onboarding.yaml").write_text(SEQUENCE)
    (folder / "test_onboarding.py").write_text(text)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("CADENZA_", "PYTEST_"))}
    ran = subprocess.run(
        [sys.executable, "-P", "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "--durations=3", "."],
        cwd=folder,
        env={**environment, "CADENZA_TWILIO_ACCOUNT_SID": "AC" + "f" * 32, "CADENZA_SMTP_URL": "smtp://127.0.0.1:9"},
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_a_users_tests_live_through_two_weeks(tmp_path: Path) -> None:
    assert "2 passed" in run_pytest(tmp_path, TESTS)


def test_it_costs_other_tests_nothing(tmp_path: Path) -> None:
    assert "1 passed" in run_pytest(tmp_path, NOTHING)
