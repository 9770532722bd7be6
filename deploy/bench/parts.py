"""What is measured, in order: each part gives one measure or several, on the servers that it is asked for on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from deploy.bench.ground import Ground, Servers
from deploy.bench.measure import Result
from deploy.bench.measures.ageing import claim_old_statistics_ratio, long_report_ratio, sweep_cost_ratio
from deploy.bench.measures.callbacks import callbacks
from deploy.bench.measures.enrolling import bulk_rows_vs_copy, csv_file_vs_one_transaction_per_contact
from deploy.bench.measures.idling import idle_cpu_percent
from deploy.bench.measures.lateness import behind_far_p99_ms, claim_lateness_bulk_p99_ms, claim_lateness_idle_p99_ms
from deploy.bench.measures.providers import email, sms
from deploy.bench.measures.queue import enqueue_vs_dramatiq, redis_bytes_per_step
from deploy.bench.measures.queues import pgqueuer_noop, procrastinate_noop
from deploy.bench.measures.settling import settled_vs_noop, slow_provider_vs_ideal
from deploy.bench.measures.standing import enrollment_of_10_steps_ms, explain_ms, task_completed_ms
from deploy.bench.measures.starving import ran_behind_far


@dataclass(frozen=True, slots=True)
class Part:
    """Measures that are taken together."""

    names: tuple[str, ...]
    run: Callable[[Ground], Sequence[Result]]
    servers: Servers


def _alone(measure: Callable[[Ground], Result], servers: Servers) -> Part:
    return Part((measure.__name__,), lambda ground: [measure(ground)], servers)


EMBEDDED: Final = tuple(
    _alone(measure, "embedded")
    for measure in (
        bulk_rows_vs_copy,
        csv_file_vs_one_transaction_per_contact,
        enqueue_vs_dramatiq,
        redis_bytes_per_step,
        settled_vs_noop,
        procrastinate_noop,
        pgqueuer_noop,
        behind_far_p99_ms,
        claim_lateness_idle_p99_ms,
        claim_lateness_bulk_p99_ms,
        slow_provider_vs_ideal,
        task_completed_ms,
        enrollment_of_10_steps_ms,
        explain_ms,
    )
)

STOCK: Final = (
    Part(
        ("sms_vs_bare_http", "sms_vs_peer", "sms_cpu_vs_peer", "sms_cpu_ms", "postgres_cpu_ms_per_message"),
        sms,
        "stock",
    ),
    Part(
        ("email_vs_bare_smtp", "email_vs_peer", "email_cpu_vs_peer", "email_cpu_ms", "postgres_cpu_ms_per_email"),
        email,
        "stock",
    ),
    Part(("callbacks_per_second", "callback_cpu_ms", "stop_p99_ms"), callbacks, "stock"),
    *(
        _alone(measure, "stock")
        for measure in (
            ran_behind_far,
            idle_cpu_percent,
            claim_old_statistics_ratio,
            sweep_cost_ratio,
            long_report_ratio,
        )
    ),
)

PARTS: Final = EMBEDDED + STOCK
NAMES: Final = tuple(name for part in PARTS for name in part.names)


def chosen(only: Sequence[str] | None) -> list[Part]:
    """Return the parts that give the measures of these names; None: all."""
    return [part for part in PARTS if only is None or set(only) & set(part.names)]
