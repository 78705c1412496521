"""One turn of an agent: what its driver knows of it beside the monitor, and the verdict that comes of both."""

import asyncio
import contextlib
from datetime import UTC, datetime
from typing import Any, cast

from remote_client.agents.adapter import Evidence, Request, Typing
from remote_client.agents.tool_use import ToolUse, gist
from remote_client.monitor.findings import Finding, FindingKind
from remote_client.monitor.hooks import is_question
from remote_client.terminals import HOOK_OVER, HookEvent
from shared.ids import ByteOffset
from shared.states import SessionStatus, TurnOutcome

TOLD_CHARACTERS = 16_384
PULL_REQUESTS_KEPT = 20
_TOOL_HOOKS = ("PreToolUse", "PostToolUse", "PostToolUseFailure")

_STATUS = {
    FindingKind.NEEDS_PERMISSION: SessionStatus.NEEDS_PERMISSION,
    FindingKind.WAITING_INPUT: SessionStatus.WAITING_INPUT,
    FindingKind.GOES_ON: SessionStatus.EXECUTING,
    FindingKind.PAUSED: SessionStatus.EXECUTING,
    FindingKind.QUIET: SessionStatus.EXECUTING,
}


class AgentTurn:
    """`ended` holds the finding that ended it; `confirmed` is set when the agent has taken the prompt."""

    def __init__(self, start: ByteOffset, typing: Typing) -> None:
        self.start = start
        self.ended: asyncio.Future[Finding] = asyncio.get_running_loop().create_future()
        self.confirmed = asyncio.Event()
        self.interrupted_by: Evidence | None = None
        self.other_words: Evidence | None = None
        self.pull_requests: list[str] = []
        self._typing = typing

    def take(self, finding: Finding) -> None:
        if self.ended.done():
            return
        if finding.kind is FindingKind.TURN_STARTED:
            self.confirm()
        elif finding.kind in _STATUS:
            self._typing.moved(_STATUS[finding.kind], _told(finding))
        elif finding.kind is FindingKind.PULL_REQUEST:
            address = str(finding.detail.get("value") or finding.detail.get("url") or "")
            if address and address not in self.pull_requests and len(self.pull_requests) < PULL_REQUESTS_KEPT:
                self.pull_requests.append(address)
        elif finding.kind is FindingKind.TURN_ENDED:
            self.ended.set_result(finding)

    def hear(self, event: HookEvent) -> None:
        """A request for leave or the end of one, or the use of a tool; else nothing."""
        if self.ended.done() or event.at < self.start:
            return
        if event.name == HOOK_OVER:
            self._typing.moot(int(event.body["number"]))
        elif event.waits and event.name == "PermissionRequest" and not is_question(event):
            folder = str(event.body.get("cwd", ""))
            tool = str(event.body.get("tool_name", ""))
            whole = not event.truncated and bool(tool)
            self._typing.asks(Request(event.number, tool, event.body.get("tool_input"), folder, whole))
        elif event.name in _TOOL_HOOKS and (tool := str(event.body.get("tool_name") or "")):
            over, failed = event.name != "PreToolUse", event.name == "PostToolUseFailure"
            self.uses(ToolUse(tool, gist(event.body.get("tool_input")), datetime.now(UTC), over, failed))

    def uses(self, use: ToolUse) -> None:
        self._typing.uses(use)

    def confirm(self) -> None:
        if not self.confirmed.is_set():
            self.confirmed.set()
            self._typing.confirmed()

    @property
    def taken(self) -> bool:
        """Whether the agent has taken the prompt, or the turn is over."""
        return self.confirmed.is_set() or self.ended.done()

    async def confirmed_within(self, seconds: float) -> bool:
        """Whether it is taken after at most so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.confirmed.wait()
        return self.taken

    def lost(self, at: ByteOffset, now: float, evidence: Evidence) -> None:
        """Nothing shows that the prompt was taken."""
        if not self.ended.done():
            self.ended.set_result(
                Finding(FindingKind.TURN_ENDED, at, now, [evidence], {}, outcome=TurnOutcome.LOST, marker=False)
            )

    def outcome(self, finding: Finding) -> TurnOutcome:
        found = finding.outcome or TurnOutcome.LOST
        if self.interrupted_by is not None and found is not TurnOutcome.DONE:
            return TurnOutcome.INTERRUPTED
        return found


def _told(finding: Finding) -> Evidence:
    return {"kind": str(finding.kind), "offset": finding.at, **_cut(dict(finding.detail)), "evidence": finding.evidence}


def _cut(value: Any) -> Any:
    if isinstance(value, str):
        return value[:TOLD_CHARACTERS]
    if isinstance(value, dict):
        return {key: _cut(inner) for key, inner in cast(dict[str, Any], value).items()}
    return [_cut(inner) for inner in cast(list[Any], value)] if isinstance(value, list) else value
