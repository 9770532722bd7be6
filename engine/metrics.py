"""What Prometheus counts. Times are real seconds."""

from bisect import bisect_left
from collections import Counter as Counts
from collections.abc import Collection

from prometheus_client import Counter
from prometheus_client import Histogram as OneByOne


class Histogram(OneByOne):
    """A histogram that takes many values at little more than the price of one."""

    def observe_all(self, amounts: Collection[float]) -> None:
        """Observe each of them."""
        for bucket, times in Counts(bisect_left(self._upper_bounds, amount) for amount in amounts).items():
            self._buckets[bucket].inc(times)
        self._sum.inc(sum(amounts))


MESSAGES = Counter("cadenza_messages_total", "Messages by how they ended", ["channel", "outcome"])
RETRIES = Counter("cadenza_retries_total", "Messages to be tried again, by class of answer", ["channel", "class"])
DUPLICATES_PREVENTED = Counter(
    "cadenza_duplicates_prevented_total", "Times that a guard kept a row from being handled twice", ["where"]
)
RECOVERED = Counter("cadenza_recovered_total", "Rows that the sweeper set going again", ["how"])
LATENESS = Histogram(
    "cadenza_lateness_seconds",
    "From due to hand-over",
    ["channel"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 21600, 86400),
)
PROVIDER = Histogram(
    "cadenza_provider_seconds",
    "From hand-over to the provider's answer",
    ["channel"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 30),
)
DUPLICATES_DETECTED = Counter(
    "cadenza_duplicates_detected_total", "Rows of which a provider says that it accepted two attempts"
)
