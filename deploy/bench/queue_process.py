"""`python -m deploy.bench.queue_process procrastinate|pgqueuer fill COUNT|work`: a queue is filled, or worked off.

The environment says where the database is. `fill` makes the tables and the jobs, and says `ready`; `work` works jobs
off as the package's own worker does, until SIGTERM.
"""

import asyncio
import os
import sys
from typing import Final

from deploy.bench.children import end_without_parent, say
from deploy.bench.postgres_queues import FILL, WORK

DATABASE_URL: Final = "CADENZA_BENCH_DATABASE_URL"


def main() -> None:
    """Fill or work."""
    queue, verb, url = sys.argv[1], sys.argv[2], os.environ[DATABASE_URL]
    if verb == "fill":
        asyncio.run(FILL[queue](url, int(sys.argv[3])))
        say("ready")
    else:
        end_without_parent()
        WORK[queue](url)


if __name__ == "__main__":
    main()
