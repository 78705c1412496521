"""Makes opencode tell of its turns, ask before it acts, and read the persona: a configuration for one session alone.

It is merged over the person's own, which stays as it is. What tells of the turns is `opencode_plugin.mjs`.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from remote_client.agents.adapter import Wish
from remote_client.agents.screen_agent import Addition
from remote_client.policy import AgentRule
from remote_client.ptyhost import hook_relay

PLUGIN = Path(__file__).with_name("opencode_plugin.mjs")
PERMISSIONS: Mapping[str, Mapping[str, str]] = {
    "default": {"edit": "ask", "bash": "ask", "webfetch": "ask", "external_directory": "ask"},
    "acceptEdits": {"edit": "allow", "bash": "ask", "webfetch": "ask", "external_directory": "ask"},
    "plan": {"edit": "deny", "bash": "ask", "webfetch": "ask", "external_directory": "ask"},
    "bypassPermissions": {"edit": "allow", "bash": "allow", "webfetch": "allow", "external_directory": "allow"},
}
"""What each permission mode of a policy means to it."""


def opencode_signals(wish: Wish, rule: AgentRule) -> Addition:
    """opencode asks nobody before it runs what a repository configures, plugins too: only a policy's trust lets it."""
    configuration: dict[str, Any] = {
        "plugin": [PLUGIN.as_uri()],
        "instructions": [str(wish.folder / name) for name in ("AGENTS.md", ".claude/CLAUDE.md")],
        "permission": PERMISSIONS[rule.permission_mode],
        "autoupdate": False,
    }
    relay = hook_relay.command("")[:-1]
    environment = {"OPENCODE_CONFIG_CONTENT": json.dumps(configuration), "SEMO_RELAY": json.dumps(relay)}
    if not rule.trust_worktrees:
        environment["OPENCODE_DISABLE_PROJECT_CONFIG"] = "true"
    return Addition(environment=environment)
