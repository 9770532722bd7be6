"""`python -m deploy.bench.bare sms|email WHERE COUNT THREADS`: hand messages over and do nothing else.

Says `ready`, waits for a line, sends, and says `done`.
"""

import os
import smtplib
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final
from urllib.parse import urlencode

import urllib3

from deploy.bench.children import say

#: As many as a pooled connection of ours carries.
MESSAGES_PER_CONNECTION: Final = 50

#: Nobody of the contacts that ours goes to.
TO_PHONE: Final = "+12025550100"
TO_ADDRESS: Final = "nobody@example.com"

TEXT: Final = "Hi Anna, thanks for your interest in our starter plan."


def main() -> None:
    """Send COUNT messages over THREADS connections."""
    channel, where, count, threads = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    shares = [count // threads + (number < count % threads) for number in range(threads)]
    send = _sms(where, threads) if channel == "sms" else _email(where)
    say("ready")
    sys.stdin.readline()
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(send, shares):
            pass
    say("done")


def _sms(url: str, threads: int) -> Callable[[int], None]:
    account, token = os.environ["CADENZA_BENCH_ACCOUNT"], os.environ["CADENZA_BENCH_TOKEN"]
    pool = urllib3.PoolManager(maxsize=threads, retries=False)
    target = f"{url}/2010-04-01/Accounts/{account}/Messages.json"
    headers = {
        **urllib3.make_headers(basic_auth=f"{account}:{token}"),
        "Content-Type": "application/x-www-form-urlencoded",
    }
    body = urlencode({"To": TO_PHONE, "From": "+15005550006", "Body": TEXT})

    def send(count: int) -> None:
        for _ in range(count):
            answer = pool.request("POST", target, body=body, headers=headers)
            if answer.status != 201:
                raise RuntimeError(f"the sandbox answered {answer.status}")

    return send


def _email(where: str) -> Callable[[int], None]:
    host, _, port = where.rpartition(":")
    message = (
        f"From: Cadenza <cadenza@example.com>\r\nTo: {TO_ADDRESS}\r\nSubject: Thanks, Anna\r\n"
        "Message-ID: <bare@example.com>\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/alternative; boundary="b"\r\n\r\n'
        f"--b\r\nContent-Type: text/plain\r\n\r\n{TEXT}\r\n"
        f"--b\r\nContent-Type: text/html\r\n\r\n<p>{TEXT}</p>\r\n--b--\r\n"
    ).encode()

    def send(count: int) -> None:
        while count > 0:
            part = min(count, MESSAGES_PER_CONNECTION)
            with smtplib.SMTP(host, int(port), timeout=30) as connection:
                for _ in range(part):
                    connection.sendmail("cadenza@example.com", [TO_ADDRESS], message)
            count -= part

    return send


if __name__ == "__main__":
    with suppress(BrokenPipeError):
        main()
