"""Makes Gemini CLI tell of its turns and read the persona: defaults of the system, given to one session alone.

They rank below the person's own settings, which stay as they are; those of the machine's administrator, if there are
any, are not read then. Its hooks say when a turn began and when it works no longer, not how it ended.
"""

import json
import shlex
from dataclasses import replace
from typing import Any

from remote_client.agents.adapter import Wish
from remote_client.agents.screen_agent import Addition
from remote_client.policy import AgentRule
from remote_client.ptyhost import hook_relay
from remote_client.terminals import HookEvent

DEFAULTS = "gemini-defaults.json"
HOOKS = ("SessionStart", "BeforeAgent", "AfterAgent", "BeforeTool", "AfterTool", "Notification")
_TOOLS = {"BeforeTool": "PreToolUse", "AfterTool": "PostToolUse"}


def gemini_signals(wish: Wish, rule: AgentRule) -> Addition:
    hooks = {
        name: [{"hooks": [{"type": "command", "command": shlex.join(hook_relay.command(name))}]}] for name in HOOKS
    }
    defaults: dict[str, Any] = {
        "hooks": hooks,
        "context": {"fileName": ["GEMINI.md", ".claude/CLAUDE.md"]},
        "general": {"enableAutoUpdate": False, "enableAutoUpdateNotification": False},
    }
    path = wish.state / DEFAULTS
    path.write_text(json.dumps(defaults))
    trust = ("--skip-trust",) if rule.trust_worktrees else ()
    return Addition(trust, {"GEMINI_CLI_SYSTEM_DEFAULTS_PATH": str(path)})


def as_claude_says(event: HookEvent) -> HookEvent:
    """In the words that the monitor knows."""
    body = event.body
    if event.name in _TOOLS:
        return replace(event, name=_TOOLS[event.name])
    if event.name == "BeforeAgent":
        return replace(event, name="UserPromptSubmit")
    if event.name == "AfterAgent":
        return replace(event, name="Notification", body={**body, "notification_type": "idle_prompt"})
    if event.name == "Notification" and body.get("notification_type") == "ToolPermission":
        details: Any = body.get("details")
        action = details.get("command", "") if isinstance(details, dict) else ""  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  of JSON
        message = f"{body.get('message', '')}: {action}".rstrip(": ")
        return replace(event, body={**body, "notification_type": "permission_prompt", "message": message})
    return event
