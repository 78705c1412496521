"""What an agent's own hooks say, in one form. Knows the bodies of Claude Code's hooks; others may speak the same."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from remote_client.monitor.findings import Evidence
from remote_client.terminals import HookEvent

TEXT_KEPT = 300


class Said(Enum):
    """What a hook means for a turn."""

    STARTED = "started"  # the agent took a prompt
    FINISHED = "finished"
    PAUSED = "paused"  # stopped, but background work will wake it
    FAILED = "failed"
    ASKS_PERMISSION = "asks_permission"
    ASKS = "asks"  # a question that is not about permission
    WORKS = "works"
    RESTS = "rests"  # it has waited for input for a while
    NOTHING = "nothing"


@dataclass(frozen=True)
class HookWord:
    said: Said
    evidence: Evidence
    message: str | None = None
    """The agent's last words, where the hook carries them."""
    prompt: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict[str, Any])


_PLAIN = {
    "PreToolUse": Said.WORKS,
    "PostToolUse": Said.WORKS,
    "PostToolUseFailure": Said.WORKS,
}
_BACKGROUND_SAYS = "<task-notification>"
"""How a prompt begins that no one typed: background work is over, and wakes the agent in the same turn."""
_QUESTION_TOOLS = ("AskUserQuestion",)


def is_question(event: HookEvent) -> bool:
    """Whether a request for permission is a question to a person, which takes more than a yes."""
    return event.body.get("tool_name") in _QUESTION_TOOLS


def hook_word(event: HookEvent) -> HookWord:
    """What one hook event says."""
    body = event.body
    evidence: Evidence = {"kind": "hook", "name": event.name, "offset": event.at}
    message = body.get("last_assistant_message")
    message = message if isinstance(message, str) else None
    if event.name == "UserPromptSubmit":
        prompt = str(body.get("prompt", ""))
        woken = prompt.startswith(_BACKGROUND_SAYS)
        return HookWord(Said.WORKS if woken else Said.STARTED, evidence, prompt="" if woken else prompt)
    if event.name == "Stop":
        waits_for = {name: body[name] for name in ("background_tasks", "session_crons") if body.get(name)}
        if waits_for:
            return HookWord(Said.PAUSED, evidence | {"waits_for": sorted(waits_for)}, message, detail=waits_for)
        return HookWord(Said.FINISHED, evidence, message)
    if event.name == "StopFailure":
        error = str(body.get("error", "unknown"))
        text = (message or "")[:TEXT_KEPT]
        told = {"error": error} | ({"message": text} if text else {})
        return HookWord(Said.FAILED, evidence | told, message, detail={"error": error, "text": text})
    if event.name == "PermissionRequest":
        tool = str(body.get("tool_name", ""))
        said = Said.ASKS if is_question(event) else Said.ASKS_PERMISSION
        detail = {"tool": tool, "input": body.get("tool_input"), "number": event.number, "waits": event.waits}
        return HookWord(said, evidence | {"tool": tool}, detail=detail)
    if event.name == "Notification":
        kind = str(body.get("notification_type", ""))
        said = {
            "permission_prompt": Said.ASKS_PERMISSION,
            "elicitation_dialog": Said.ASKS,
            "idle_prompt": Said.RESTS,
        }.get(kind, Said.NOTHING)
        detail = {"text": str(body.get("message", ""))[:TEXT_KEPT]}
        return HookWord(said, evidence | {"notification": kind}, detail=detail)
    return HookWord(_PLAIN.get(event.name, Said.NOTHING), evidence)
