"""`python -m deploy.bench.peer.threads [COUNT]`: the peer with few threads and many, to choose THREADS in side.py.

It is no measure of `make bench`: run it on a quiet machine, when the peer or the sandbox has changed.
"""

import sys
from typing import Final

from deploy.bench.ground import open_ground
from deploy.bench.peer.side import Channel, deliver_as_peer

TRIED: Final = (2, 4, 8, 16, 32)
CHANNELS: Final[tuple[Channel, ...]] = ("sms", "email")
TURNS: Final = 3


def main() -> None:
    """Print messages a second and the workers' milliseconds a message, turn by turn."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    with open_ground("stock", quick=False) as ground:
        for turn in range(TURNS):
            for channel in CHANNELS:
                for threads in TRIED:
                    sent = deliver_as_peer(ground, channel, count, threads)
                    cpu = f"{sent.cpu['workers']:.2f} ms"
                    sys.stdout.write(f"{turn + 1} {channel} {threads} threads: {sent.per_second:,.0f}/s, {cpu}\n")
                    sys.stdout.flush()


if __name__ == "__main__":
    main()
