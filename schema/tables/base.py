"""The metadata that all tables share, and the column shapes that recur."""

from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Column, DateTime, Identity, MetaData, text

from schema.states import sql_list

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "ck": "%(table_name)s_%(constraint_name)s_check",
    }
)

REAL_NOW = text("clock_timestamp()")


def identity() -> Column[int]:
    """A bigint primary key that the database numbers."""
    return Column("id", BigInteger, Identity(always=True), primary_key=True)


def moment(name: str, *, nullable: bool = True, **options: Any) -> Column[Any]:
    """A timestamp with time zone."""
    return Column(name, DateTime(timezone=True), nullable=nullable, **options)


def real_moment_of_writing(name: str) -> Column[Any]:
    """A timestamp in real time (not sequence time), set when the row is written."""
    return moment(name, nullable=False, server_default=REAL_NOW)


def one_of(column: str, states: type[StrEnum]) -> CheckConstraint:
    """A constraint that the column holds one of the states."""
    return CheckConstraint(f"{column} IN ({sql_list(*states)})", name=column)
