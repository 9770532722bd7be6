"""Who steers: a person, or a program for one."""

from dataclasses import dataclass

from engine.database import Session
from engine.outbox.history import note_scope


@dataclass(frozen=True, slots=True)
class Operator:
    """Who asks for something, in which workspace, and why."""

    workspace: str
    name: str
    reason: str | None = None

    def note(self, session: Session, workspace_id: int, became: str, what: str) -> None:
        """Write an act upon `what` into the history of the workspace, with the operator's reason."""
        note_scope(session, workspace_id, None, self.name, became, "; ".join(filter(None, [what, self.reason])))
