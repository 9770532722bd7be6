"""Questions: true, false, or not to be told yet."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.rules.facts import Facts, Signal, StepFact
from engine.rules.judging import judge
from engine.rules.machines import MACHINES, machine_of
from schema.definition import Question
from schema.states import RowStatus

SENT = StepFact(RowStatus.SENT, sent_at=10.0)


def ask(question: dict[str, Any], facts: Facts, *, by: float = 100.0, last: bool = False) -> bool | None:
    return judge(Question.model_validate(question), facts, by, last=last)


def heard(*signals: Signal, **steps: StepFact) -> Facts:
    return Facts(0.0, {"mail": SENT, **steps}, signals)


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ({"opened": "mail"}, "opened"),
        ({"opened": "mail"}, "clicked"),
        ({"clicked": "mail"}, "clicked"),
        ({"delivered": "mail"}, "delivered"),
        ({"delivered": "mail"}, "opened"),
        ({"failed": "mail"}, "bounced"),
        ({"failed": "mail"}, "failed"),
        ({"replied": "mail"}, "replied"),
        ({"replied": True}, "replied"),
    ],
)
def test_what_was_heard_is_so_from_its_moment_on(question: dict[str, Any], kind: str) -> None:
    facts = heard(Signal(kind, 50.0, "mail"))
    assert ask(question, facts) is True
    assert ask(question, facts, by=50.0) is True
    assert ask(question, facts, by=49.9) is None
    assert ask(question, facts, by=49.9, last=True) is False
    assert ask(question, heard()) is None
    assert ask({"not": question}, facts) is False
    assert ask({"not": question}, heard()) is None
    assert ask({"not": question}, heard(), last=True) is True


def test_machines_and_other_messages_do_not_count() -> None:
    assert ask({"opened": "mail"}, heard(Signal("opened", 50.0, "mail", machine="Barracuda"))) is None
    assert ask({"opened": "mail"}, heard(Signal("opened", 50.0, "other"))) is None
    assert ask({"opened": "mail"}, heard(Signal("opened", 50.0, None))) is None
    assert ask({"clicked": "mail"}, heard(Signal("opened", 50.0, "mail"))) is None
    assert ask({"replied": "mail"}, heard(Signal("replied", 5.0))) is None
    assert ask({"replied": True}, Facts(20.0, {}, [Signal("replied", 5.0)])) is None


@pytest.mark.parametrize("status", [RowStatus.SKIPPED, RowStatus.FAILED, RowStatus.CANCELLED])
def test_of_a_message_that_never_went_out_nothing_is_waited_for(status: RowStatus) -> None:
    facts = heard(mail=StepFact(status))
    for question in ({"opened": "mail"}, {"clicked": "mail"}, {"replied": "mail"}, {"delivered": "mail"}):
        assert ask(question, facts) is False
    assert ask({"failed": "mail"}, facts) is (status is RowStatus.FAILED)


@pytest.mark.parametrize(("delivery", "delivered"), [("delivered", True), ("read", True), ("undelivered", False)])
def test_what_the_provider_says_of_the_delivery_decides(delivery: str, delivered: bool) -> None:
    facts = heard(mail=StepFact(RowStatus.SENT, delivery=delivery, sent_at=10.0))
    assert ask({"delivered": "mail"}, facts) is delivered
    assert ask({"failed": "mail"}, facts) is not delivered


@pytest.mark.parametrize(
    ("link", "wanted", "matches"),
    [
        ("https://x.example/a", "https://x.example/a", True),
        ("https://x.example/a/", "https://x.example/a", True),
        ("https://x.example/a?b=1", "https://x.example/a*", True),
        ("https://x.example/ab", "https://x.example/a", False),
        (None, "https://x.example/a", False),
    ],
)
def test_a_click_can_be_on_one_link(link: str | None, wanted: str, matches: bool) -> None:
    facts = heard(Signal("clicked", 50.0, "mail", link))
    assert ask({"clicked": {"step": "mail", "link": wanted}}, facts, last=True) is matches


def test_outcomes_events_and_the_contact() -> None:
    facts = Facts(
        0.0,
        {"call": StepFact(RowStatus.DONE, "reached"), "later": StepFact(RowStatus.OPEN)},
        [Signal("custom", 5.0, name="paid")],
        {"plan": "pro", "seats": 5, "vip": True, "empty": ""},
        frozenset({"friend"}),
        frozenset({"demo"}),
    )
    for question in (
        {"outcome": {"call": "reached"}},
        {"event": "paid"},
        {"attribute": {"plan": "pro"}},
        {"attribute": {"plan": "PRO"}},
        {"attribute": {"plan": "pro"}, "exact": True},
        {"attribute": {"seats": ["4", "5"]}},
        {"attribute": {"vip": "true"}},
        {"has": "plan"},
        {"tag": "friend"},
        {"enrolled_in": "demo"},
    ):
        assert ask(question, facts) is True, question
    assert ask({"outcome": {"call": "not_reached"}}, facts) is False
    assert ask({"outcome": {"later": "reached"}}, facts) is None
    for question in (
        {"event": "left"},
        {"attribute": {"plan": "free"}},
        {"attribute": {"plan": "Pro"}, "exact": True},
        {"attribute": {"none": "x"}},
        {"has": "empty"},
        {"tag": "foe"},
        {"enrolled_in": "other"},
    ):
        assert ask(question, facts) is None, question
        assert ask(question, facts, last=True) is False, question


atoms = st.sampled_from([{"has": "yes"}, {"has": "no"}, {"event": "heard"}, {"outcome": {"later": "x"}}])
questions = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"any": parts}),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"all": parts}),
        inner.map(lambda part: {"not": part}),
    ),
    max_leaves=8,
)


@given(questions, st.booleans())
def test_an_answer_that_is_given_early_is_the_answer_at_the_end(question: dict[str, Any], paid: bool) -> None:
    """As long as nothing else is heard, and a question has an answer at the end."""
    facts = Facts(0.0, {}, [Signal("custom", 5.0, name="heard")] if paid else [], {"yes": 1})
    early, final = ask(question, facts), ask(question, facts, last=True)
    assert final is not None
    assert early in (None, final)
    assert ask({"not": question}, facts, last=True) is not final


def test_machines_are_known_by_what_they_say_or_where_they_come_from() -> None:
    assert machine_of("Mozilla/5.0", None) == "Apple Mail Privacy Protection"
    assert machine_of("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)", "17.58.1.1") == "Apple Mail Privacy Protection"
    assert machine_of("Barracuda Sentinel (EE)", None) == "Barracuda"
    assert machine_of("python-requests/2.32", "10.0.0.1") == "a script"
    for person in (
        None,
        "",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36",
        "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
    ):
        assert machine_of(person, "192.0.2.1") is None
    assert all(machine.source.startswith("https://") for machine in MACHINES)
