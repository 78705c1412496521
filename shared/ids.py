"""The ids that both sides pass around, each with a type of its own so that one is never taken for another."""

from typing import NewType
from uuid import UUID

OfficeId = NewType("OfficeId", UUID)
ClientId = NewType("ClientId", UUID)
CommandId = NewType("CommandId", UUID)
SessionId = NewType("SessionId", UUID)
TurnId = NewType("TurnId", UUID)
ApprovalId = NewType("ApprovalId", UUID)
PersonaId = NewType("PersonaId", UUID)
PlanId = NewType("PlanId", UUID)
LaneId = NewType("LaneId", UUID)
JobId = NewType("JobId", UUID)
ExecutionId = NewType("ExecutionId", UUID)
StartId = NewType("StartId", UUID)
"""Names one start of a client; its journal and the office both know it."""

Attempt = NewType("Attempt", int)
"""Which try at a command this is, from 1; a rescued command is offered again under the next one."""

Epoch = NewType("Epoch", int)
"""Which start of a client this is; the database refuses writes of an older one."""

ByteOffset = NewType("ByteOffset", int)
"""A place in a terminal's raw output, in bytes since its session began."""
