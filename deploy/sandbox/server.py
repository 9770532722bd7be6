"""The sandbox as one asyncio task: the Twilio API, the SMTP server, their controls and their ledger."""

import asyncio
import logging
import os
import signal
from collections.abc import Callable

from deploy.sandbox.account import Account
from deploy.sandbox.control import Control
from deploy.sandbox.fault_board import FaultBoard
from deploy.sandbox.http_provider import HttpProvider
from deploy.sandbox.ledger import LedgerWriter, read_entries
from deploy.sandbox.mail_provider import MailProvider
from deploy.sandbox.message import Timeline
from deploy.sandbox.message_store import MessageStore
from deploy.sandbox.options import SandboxOptions
from deploy.sandbox.state import DataFolder, Sandbox
from deploy.sandbox.status_callbacks import StatusCallbacks
from deploy.sandbox.twilio_api import TwilioApi
from deploy.sandbox.webhook import Webhooks


def run_sandbox(options: SandboxOptions, ready: Callable[[Sandbox], None]) -> None:
    """Run a sandbox in the foreground until SIGTERM or SIGINT; raises as `serve` does."""

    async def run() -> None:
        stop = asyncio.Event()
        stop_at_signals(stop)
        await serve(options, ready, stop)

    asyncio.run(run())


async def serve(options: SandboxOptions, ready: Callable[[Sandbox], None], stop: asyncio.Event) -> None:
    """Run a sandbox until `stop` is set; `ready` is called once, when all its ports answer.

    Raises:
        AlreadyRunning: another sandbox holds the data folder.
        InvalidInput: the ledger, the data folder or the certificate can't be used.
        Unavailable: a port can't be had.
    """
    logging.getLogger("mail.log").setLevel(logging.ERROR)  # aiosmtpd's: it would tell addresses
    folder = DataFolder(options.data_dir)
    with folder.claimed(), LedgerWriter(options.ledger_path, fresh=options.fresh_ledger) as ledger:
        store = _restore(ledger)
        board = FaultBoard()
        account = Account(options.account_sid, options.auth_token)
        timeline = Timeline(options.sent_after, options.delivered_after)
        webhooks = Webhooks(account)
        callbacks = StatusCallbacks(account, timeline, webhooks, enabled=options.callbacks)
        mail = MailProvider(options, ledger, board)

        async def follow_faults() -> None:
            await http.follow(refusing=board.refuses("sms"))
            await mail.follow(refusing=board.refuses("email"))

        api = TwilioApi(account, timeline, store, ledger, board, callbacks)
        control = Control(account, store, board, ledger, callbacks, webhooks, follow_faults)
        http = HttpProvider(options, board, [*api.routes(), *control.routes()])
        async with webhooks, callbacks, mail, http:
            sandbox = _describe(options, http, mail)
            folder.announce(sandbox)
            ready(sandbox)
            await stop.wait()


def stop_at_signals(stop: asyncio.Event) -> None:
    """Let SIGTERM and SIGINT set `stop`."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)


def _restore(ledger: LedgerWriter) -> MessageStore:
    """What an earlier sandbox accepted, so that it can be fetched and listed."""
    store = MessageStore()
    for entry in read_entries(ledger.path):
        ledger.counts[entry.channel, entry.event] += 1
        if (entry.channel, entry.event) == ("sms", "accepted"):
            store.restore(entry)
    return store


def _describe(options: SandboxOptions, http: HttpProvider, mail: MailProvider) -> Sandbox:
    host = f"[{options.host}]" if ":" in options.host else options.host
    return Sandbox(
        http_url=f"http://{host}:{http.door.port}",
        control_url=f"http://{host}:{http.control_door.port}",
        smtp_host=options.host,
        smtp_port=mail.door.port,
        account_sid=options.account_sid,
        auth_token=options.auth_token,
        smtp_user=options.smtp_user,
        smtp_password=options.smtp_password,
        ledger=options.ledger_path.absolute(),
        pid=os.getpid(),
    )
