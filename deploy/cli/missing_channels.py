"""What commands say of channels that sequences send on and that nothing is configured for."""

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from deploy.cli.output import note
from engine.database import Database
from engine.settings import REQUIRED_BY_CHANNEL, Settings
from producers.channels_in_use import channels_in_use
from schema.definition import Definition

#: Names of sequences in a line about all of them.
SHOWN: Final = 5


def warn_of_missing_channels(database: Database, settings: Settings) -> None:
    """Say on standard error which channels of published sequences are not configured."""
    with database.transaction() as session:
        in_use = channels_in_use(session)
    _warn({channel: in_use[channel] for channel in sorted(in_use.keys() - settings.configured_channels)})


def warn_when_published(definitions: Iterable[Definition], settings: Settings) -> list[str]:
    """Say the same of these sequences, and return the channels; only in production, elsewhere a sandbox stands in."""
    missing: dict[str, list[str]] = {}
    if settings.environment == "production":
        for definition in definitions:
            for channel in sorted(definition.channels - settings.configured_channels):
                missing.setdefault(channel, []).append(definition.sequence)
    _warn(missing)
    return list(missing)


def missing_channel(channel: str, sequences: Collection[str]) -> str:
    """Say that a channel is not configured though these sequences send on it."""
    some = ", ".join(list(sequences)[:SHOWN]) + (", ..." if len(sequences) > SHOWN else "")
    return (
        f"{channel} is not configured, and published sequences send on it ({some}): set {REQUIRED_BY_CHANNEL[channel]}"
    )


def _warn(missing: Mapping[str, Collection[str]]) -> None:
    for channel, sequences in missing.items():
        note(f"cadenza: {missing_channel(channel, sequences)}; their messages wait until it is")
