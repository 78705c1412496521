"""For whom the office server speaks to Supabase: told with each call, so that the audit log can name who did what."""

import json
from contextvars import ContextVar
from dataclasses import dataclass
from uuid import UUID

HEADER = "x-semo-actor"


@dataclass(frozen=True)
class Actor:
    """`name`: token:NAME, user:ID, or the program that acts by itself."""

    name: str
    id: UUID | None = None

    def as_header(self) -> str:
        return json.dumps({"name": self.name, "id": str(self.id) if self.id else None})


_acting: ContextVar[Actor | None] = ContextVar("acting", default=None)


def act_for(actor: Actor) -> None:
    """From here on, in this task, calls are made for `actor`."""
    _acting.set(actor)


def acting() -> Actor | None:
    return _acting.get()
