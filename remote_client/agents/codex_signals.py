"""Makes Codex tell of its turns: its own hooks, given and trusted on the command line, for one session alone.

Codex runs no hook that nobody has trusted, and knows each one by a hash of what it is. So exactly ours are trusted; no
hook of a repository is, and the person's own configuration stays as it is. A Codex that counts its hashes otherwise
asks about the hooks and takes no prompt until a person has answered.
"""

import hashlib
import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from remote_client.agents.adapter import Wish
from remote_client.agents.screen_agent import Addition
from remote_client.policy import AgentRule
from remote_client.ptyhost import hook_relay

SOURCE = "/<session-flags>/config.toml"
PERMISSION_SECONDS = 86_400
PERSONA_COMMAND = "cat .claude/CLAUDE.md 2>/dev/null || :"
"""What a hook of a session's start prints, Codex reads as instructions. It does not know this file by itself."""


def codex_signals(wish: Wish, rule: AgentRule) -> Addition:
    arguments: list[str] = []
    trusted: dict[str, str] = {}
    for event, handlers in _hooks().items():
        arguments += ["-c", f"hooks.{event}=[{{hooks=[{','.join(_toml(handler) for handler in handlers)}]}}]"]
        label = _label(event)
        for number, handler in enumerate(handlers):
            trusted[f"{SOURCE}:{label}:0:{number}"] = _hash(label, handler)
    states = ",".join(f"{json.dumps(key)}={_toml({'trusted_hash': value})}" for key, value in trusted.items())
    arguments += ["-c", f"hooks.state={{{states}}}"]
    if rule.trust_worktrees:
        arguments += ["-c", f'projects={{{json.dumps(str(wish.folder))}={{trust_level="trusted"}}}}']
    return Addition(arguments)


def _hooks() -> dict[str, list[dict[str, Any]]]:
    return {
        "SessionStart": [_relay("SessionStart", 30), {"type": "command", "command": PERSONA_COMMAND, "timeout": 30}],
        "UserPromptSubmit": [_relay("UserPromptSubmit", 30)],
        "PreToolUse": [_relay("PreToolUse", 30)],
        "PostToolUse": [_relay("PostToolUse", 30)],
        "PermissionRequest": [_relay("PermissionRequest", PERMISSION_SECONDS, waits=True)],
        "Stop": [_relay("Stop", 30)],
        "Interrupt": [_relay("Interrupt", 3)],  # what is longer, Codex cuts
    }


def _relay(event: str, timeout_seconds: int, *, waits: bool = False) -> dict[str, Any]:
    command = hook_relay.command(event, waits, timeout_seconds if waits else None)
    return {"type": "command", "command": shlex.join(command), "timeout": timeout_seconds}


def _label(event: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in event).lstrip("_")


def _hash(label: str, handler: Mapping[str, Any]) -> str:
    identity = {"event_name": label, "hooks": [{**handler, "async": False}]}
    canonical = json.dumps(identity, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f"sha256:{hashlib.sha256(canonical.encode()).hexdigest()}"


def _toml(table: Mapping[str, Any]) -> str:
    """An inline table of strings and numbers."""
    return f"{{{','.join(_entries(table))}}}"


def _entries(table: Mapping[str, Any]) -> Iterator[str]:
    for key, value in table.items():
        yield f"{key}={json.dumps(value, ensure_ascii=False)}"
