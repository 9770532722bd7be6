"""`python -m deploy.bench.worker THREADS [SECONDS]`: a worker process as `cadenza worker` starts it.

With SECONDS, a provider in process that takes so long stands in for the real ones; all else is the real path.
"""

import signal
import sys
from threading import Event, Thread

from deploy.bench.children import until_parent_is_gone
from deploy.bench.stand_in import StandIn
from engine.logs import set_up_logs
from engine.settings import read_settings
from workers.channels import open_channels
from workers.channels.channel import Channel
from workers.process import run


def main() -> None:
    """Work until SIGTERM, or until standard input closes."""
    threads, seconds = int(sys.argv[1]), sys.argv[2:]
    settings = read_settings()
    set_up_logs("warning")
    stop = Event()
    signal.signal(signal.SIGTERM, lambda _signal, _frame: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=until_parent_is_gone, args=(stop,), daemon=True).start()
    channels: dict[str, Channel] = open_channels(settings) if not seconds else {"sms": StandIn(float(seconds[0]))}
    run(settings, threads, channels, stop)


if __name__ == "__main__":
    main()
