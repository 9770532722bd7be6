"""`cadenza variants`."""

from dataclasses import asdict
from typing import Annotated, Any, Final

import typer

from deploy.cli.output import Json, WorkspaceName, report
from deploy.cli.session import opened
from engine.rules.comparing import Share
from producers.variants import DECISIVE, Split, Splits, Variant, compare_variants
from producers.workspaces import find_workspace

SHOWN: Final = ("delivered", "clicked", "replied", "opened", "opened_by_machine")


def variants(
    sequence: Annotated[str, typer.Argument(help="The key of the sequence.")],
    version: Annotated[int | None, typer.Option(min=1, help="A version of it; the newest otherwise.")] = None,
    workspace: WorkspaceName = None,
    as_json: Json = False,
) -> None:
    """Tell what came of each variant, and whether one does better. Rates come with intervals of 95%."""
    with opened(workspace) as session, session.database.transaction(snapshot=True) as transaction:
        workspace_id = find_workspace(transaction, session.settings.workspace).id
        found = compare_variants(transaction, workspace_id, sequence, version)
    report(as_json, _document(found), lambda: "\n".join(_lines(found)))


def _document(found: Splits) -> dict[str, Any]:
    return {
        "sequence": found.sequence,
        "version": found.version,
        "steps": [
            {
                "step": split.step,
                "variants": [_variant(variant) for variant in split.variants],
                "findings": {measure: asdict(finding) for measure, finding in split.findings.items()},
            }
            for split in found.steps
        ],
    }


def _variant(variant: Variant) -> dict[str, Any]:
    return {
        "name": variant.name,
        "weight": variant.weight,
        **asdict(variant.counts),
        "rates": {
            name: {"rate": share.rate, "interval": share.interval, "of": share.of, "decisive": name in DECISIVE}
            for name, share in variant.shares.items()
        },
    }


def _lines(found: Splits) -> list[str]:
    lines = [f"{found.sequence}, version {found.version}"]
    if not found.steps:
        return [*lines, "no step of it has variants"]
    for split in found.steps:
        lines += ["", *_split(split)]
    return lines


def _split(split: Split) -> list[str]:
    lines = [f"{split.step}"]
    for variant in split.variants:
        counts = variant.counts
        lines.append(
            f"  {variant.name} (weight {variant.weight}): {counts.taken:,} enrollments took it,"
            f" {counts.sent:,} messages sent"
        )
        lines += [f"    {name.replace('_', ' '):<18}{_rate(name, variant)}" for name in SHOWN]
        if counts.exits:
            left = ", ".join(f"{number:,} {reason}" for reason, number in counts.exits.items())
            lines.append(f"    {'left early':<18}{left}")
    return [*lines, *(f"  {measure}: {finding.says}" for measure, finding in split.findings.items())]


def _rate(name: str, variant: Variant) -> str:
    share: Share = variant.shares[name]
    if name == "delivered" and variant.counts.sent and not variant.counts.reported:
        return "not reported"
    if share.rate is None or share.interval is None:
        return "-"
    low, high = share.interval
    mark = "" if name in DECISIVE or name == "delivered" else "  (not decisive)"
    return f"{share.number:,} of {share.of:,}: {share.rate:.1%} ({low:.1%} to {high:.1%}){mark}"
