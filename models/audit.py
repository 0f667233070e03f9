"""Who changes something, and when."""

from datetime import datetime
from enum import StrEnum

from models.value import Value


class ActorKind(StrEnum):
    REPORTER = "reporter"
    AGENT = "agent"
    STAFF = "staff"  # acts with a role, but is no agent of this merchant: an admin, an operator
    SYSTEM = "system"


class Actor(Value):
    """``id`` is the row of the agent or the reporter."""

    kind: ActorKind
    id: int | None = None
    name: str = ""

    @classmethod
    def of_text(cls, text: str) -> "Actor":
        kind, number, name = text.split("/", 2)
        return cls(kind=ActorKind(kind), id=int(number) if number else None, name=name)

    @property
    def as_text(self) -> str:
        """As it is stored beside what they did: kind/id/name."""
        return f"{self.kind}/{self.id or ''}/{self.name}"

    @property
    def is_reporter(self) -> bool:
        return self.kind is ActorKind.REPORTER


SYSTEM = Actor(kind=ActorKind.SYSTEM, name="helpdesk")


class Change(Value):
    """One deed of one actor. ``at`` is read once at the edge: from the API's clock, or from the workflow's."""

    by: Actor
    at: datetime
    request_id: str | None = None
