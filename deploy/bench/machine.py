"""The machine that a run was made on."""

import os
import platform
from pathlib import Path

from deploy.bench.ground import Ground


def describe(ground: Ground) -> str:
    """Processor, memory, and the versions of what was run."""
    with ground.database.transaction() as session:
        postgres = session.info.server_version
    valkey = ground.redis.info("server")
    store = f"Valkey {valkey['valkey_version']}" if "valkey_version" in valkey else f"Redis {valkey['redis_version']}"
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} cores ({_processor()}), {memory:.0f} GiB, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}, {ground.servers}: Postgres {postgres // 10_000}.{postgres % 10_000}, "
        f"{store}"
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
