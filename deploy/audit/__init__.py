"""The audit: what the providers' own ledger says, against what the database says. It reads nothing else."""

from deploy.audit.audit import audit, judge
from deploy.audit.verdict import Audit, Kind, Violation

__all__ = ["Audit", "Kind", "Violation", "audit", "judge"]
