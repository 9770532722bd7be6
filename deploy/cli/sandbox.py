"""`cadenza sandbox`: the sandbox providers in the foreground, and the faults of one that runs."""

from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from deploy.cli.output import Json, report, say
from deploy.cli.processes import require_sandbox
from deploy.cli.session import settings_of
from deploy.sandbox.client import SandboxClient
from deploy.sandbox.fault import FaultReport, Kind, Stage
from deploy.sandbox.options import SandboxOptions
from deploy.sandbox.state import Sandbox, find_sandbox
from engine.errors import InvalidInput, Unavailable

app = typer.Typer(help="Run the sandbox providers: a Twilio API and an SMTP server.", invoke_without_command=True)


@app.callback()
def run(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="A loopback address.")] = "127.0.0.1",
    http_port: Annotated[int, typer.Option(help="Of the Twilio API; 0: a free one.")] = 0,
    smtp_port: Annotated[int, typer.Option(help="Of the SMTP server; 0: a free one.")] = 0,
    ledger: Annotated[Path | None, typer.Option(help="Where what was accepted is written.")] = None,
    fresh_ledger: Annotated[bool, typer.Option(help="Forget what an earlier sandbox wrote.")] = False,
) -> None:
    """Run the sandbox providers until told to stop."""
    if context.invoked_subcommand is not None:
        return
    settings = settings_of()
    given: dict[str, Any] = {
        "data_dir": settings.data_dir,
        "host": host,
        "http_port": http_port,
        "smtp_port": smtp_port,
        "ledger": ledger,
        "fresh_ledger": fresh_ledger,
    }
    if settings.twilio_account_sid and settings.twilio_auth_token:
        given["account_sid"] = settings.twilio_account_sid
        given["auth_token"] = settings.twilio_auth_token.get_secret_value()
    try:
        options = SandboxOptions.model_validate(given)
    except ValidationError as error:
        problems = [_where(problem) + problem["msg"].removeprefix("Value error, ") for problem in error.errors()]
        raise InvalidInput("sandbox: " + "; ".join(problems)) from None
    require_sandbox()
    from deploy.sandbox.server import run_sandbox  # of the extra `local`, which a production machine does not have

    run_sandbox(options, _listening)


@app.command()
def fault(
    channel: Annotated[str, typer.Argument(help="sms or email")],
    kind: Annotated[Kind, typer.Argument()],
    stage: Annotated[Stage | None, typer.Option(help="Where it strikes.")] = None,
    seconds: Annotated[float | None, typer.Option(help="Of latency.")] = None,
    status: Annotated[int | None, typer.Option(help="The HTTP status of a reply, for sms.")] = None,
    code: Annotated[int | None, typer.Option(help="A Twilio error code, or an SMTP reply code.")] = None,
    retry_after: Annotated[int | None, typer.Option(help="Seconds in the header Retry-After.")] = None,
    times: Annotated[int | None, typer.Option(help="The next so many requests.")] = None,
    share: Annotated[float | None, typer.Option(help="This share of requests, 0 to 1.")] = None,
    to: Annotated[str | None, typer.Option(help="Only this recipient.")] = None,
    as_json: Json = False,
) -> None:
    """Switch a fault on in the sandbox that runs; without --times or --share it strikes every time."""
    if channel not in ("sms", "email"):
        raise InvalidInput(f"channel: expected sms or email, not {channel!r}")
    details = {
        "seconds": seconds,
        "status": status,
        "code": code,
        "retry_after": retry_after,
        "times": times,
        "share": share,
        "to": to,
    }
    made = _running().add_fault(
        channel,  # type: ignore[arg-type]
        kind,
        stage,
        **{name: value for name, value in details.items() if value is not None},
    )
    _tell([made], as_json)


@app.command()
def faults(as_json: Json = False) -> None:
    """List the faults, and how often each struck."""
    _tell(_running().faults(), as_json)


@app.command()
def mend(
    fault_id: Annotated[str | None, typer.Argument(help="One fault; all otherwise.")] = None, as_json: Json = False
) -> None:
    """End a fault, or all."""
    _tell(_running().end_faults(fault_id), as_json)


def _running() -> SandboxClient:
    settings = settings_of()
    sandbox = find_sandbox(settings.data_dir)
    if sandbox is None:
        raise Unavailable(f"no sandbox runs with the data folder {settings.data_dir}: start `cadenza sandbox`")
    return sandbox.client


def _listening(sandbox: Sandbox) -> None:
    say(f"Twilio API  {sandbox.http_url}  account {sandbox.account_sid}")
    say(f"SMTP        {sandbox.smtp_url}")
    say(f"controls    {sandbox.control_url}/sandbox/faults")
    say(f"ledger      {sandbox.ledger}")


def _tell(found: list[FaultReport], as_json: bool) -> None:
    report(
        as_json,
        {"faults": [one.model_dump(mode="json", exclude_none=True) for one in found]},
        lambda: "\n".join(map(_line, found)) or "no faults",
    )


def _line(fault: FaultReport) -> str:
    """What a fault does, and how often it struck."""
    details = fault.model_dump(
        mode="json", exclude_none=True, exclude={"id", "channel", "kind", "stage", "times", "seed", "hits", "left"}
    )
    said = "".join(f", {name} {value}" for name, value in details.items())
    left = "until it is ended" if fault.left is None else f"{fault.left} more to come"
    return f"{fault.id}  {fault.channel} {fault.kind} at {fault.where}{said}: struck {fault.hits} times, {left}"


def _where(problem: Any) -> str:
    return f"--{str(problem['loc'][0]).replace('_', '-')}: " if problem["loc"] else ""
