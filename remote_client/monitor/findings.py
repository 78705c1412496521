"""What the monitor has to say: one `Finding` for each thing that happened, with the evidence for it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from shared.ids import ByteOffset
from shared.states import TurnOutcome

Evidence = dict[str, Any]
"""{"kind": "hook" | "exit" | "title" | "transcript" | "screen" | "marker" | "git" | "typed" | "quiet" | "recording",
"offset": …, and what that kind has to add}."""


class FindingKind(StrEnum):
    TURN_STARTED = "turn_started"  # the agent took a prompt
    NEEDS_PERMISSION = "needs_permission"  # the turn stands still until somebody allows or forbids something
    WAITING_INPUT = "waiting_input"  # the turn stands still on a question of the agent
    GOES_ON = "goes_on"  # it stood still, or was paused, and works again
    PAUSED = "paused"  # the agent stopped, but its background work will wake it: not done
    QUIET = "quiet"  # nothing came for long: somebody should look. Never a verdict
    INTERRUPTED = "interrupted"  # somebody stopped the turn; its turn_ended follows
    TURN_ENDED = "turn_ended"  # the verdict: outcome, marker, evidence
    MARKER = "marker"  # the agent said a marker
    COMMIT = "commit"
    PULL_REQUEST = "pull_request"
    ERROR = "error"  # an error of the agent's own: API, limits, credentials
    TITLE = "title"
    BELL = "bell"
    NOTICE = "notice"  # a desktop notification asked for by an escape sequence
    EXITED = "exited"  # the program is gone


@dataclass(frozen=True)
class Finding:
    """`at` is where in the output the decisive byte ends; `seen_at` is when, in the seconds of the caller's clock.

    `outcome` and `marker` are set for `turn_ended` alone.
    """

    kind: FindingKind
    at: ByteOffset
    seen_at: float
    evidence: list[Evidence] = field(default_factory=list[Evidence])
    detail: Mapping[str, Any] = field(default_factory=dict[str, Any])
    outcome: TurnOutcome | None = None
    marker: bool | None = None
