"""A histogram that takes many values at once counts as one that takes them one by one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from engine.metrics import Histogram

BOUNDS = (0.01, 0.1, 1.0)


@given(st.lists(st.sampled_from([0.0, 0.005, 0.01, 0.02, 0.1, 0.5, 1.0, 3.0]), min_size=1, max_size=30))
def test_many_at_once_are_as_many_one_by_one(amounts: list[float]) -> None:
    registries = CollectorRegistry(), CollectorRegistry()
    together, single = (Histogram("x", "x", ["channel"], buckets=BOUNDS, registry=one) for one in registries)
    together.labels("sms").observe_all(amounts)
    for amount in amounts:
        single.labels("sms").observe(amount)
    names = ["x_sum", "x_count", *["x_bucket"] * 4]
    labels = [{"channel": "sms"}] * 2 + [{"channel": "sms", "le": bound} for bound in ("0.01", "0.1", "1.0", "+Inf")]
    for name, having in zip(names, labels, strict=True):
        expected = registries[1].get_sample_value(name, having)
        assert expected is not None
        assert registries[0].get_sample_value(name, having) == pytest.approx(expected)
