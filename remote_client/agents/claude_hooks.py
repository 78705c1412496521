"""What Claude Code tells by its hooks, and what a waiting one is answered: names and shapes, nothing else."""

from typing import Any

PROMPT_TAKEN = "UserPromptSubmit"
"""Carries the prompt as the agent took it."""

HOOKS = {
    "SessionStart": False,
    PROMPT_TAKEN: False,
    "PermissionRequest": True,  # stands until it is answered; its dialog takes keys meanwhile, and the first one counts
    "Notification": False,
    "Stop": False,
    "StopFailure": False,
    "SessionEnd": False,
}
"""The hooks that are asked for, and whether each waits for an answer."""

OF_TURNS = frozenset({PROMPT_TAKEN, "PermissionRequest", "Stop", "StopFailure"})
"""Whichever of them comes after a prompt was typed shows that it arrived."""

COST = "StatusLine"
"""The status line's command is no hook, but told like one: after each turn, with what the session has cost so far."""

PERMISSION_SECONDS = 86_400

NO_DECISION: dict[str, Any] = {}


def decision(allow: bool, message: str = "") -> dict[str, Any]:
    """The answer to a permission request; `message` tells the agent why not."""
    made: dict[str, Any] = {"behavior": "allow"} if allow else {"behavior": "deny", "message": message}
    return {"hookSpecificOutput": {"hookEventName": "PermissionRequest", "decision": made}}
