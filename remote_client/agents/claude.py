"""The `claude` agent: Claude Code in its own terminal interface, told by its own hooks how its turns go.

How it is driven is in `claude_driver`. Never reads or writes the person's own configuration of Claude Code.
"""

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from remote_client.agent_tools import launching
from remote_client.agent_tools.tools import SERVER
from remote_client.agents.adapter import Abilities, AgentDriver, Launch, Wish
from remote_client.agents.claude_driver import ClaudeDriver
from remote_client.agents.claude_hooks import COST, HOOKS, PERMISSION_SECONDS
from remote_client.agents.program import allowed_model, mcp_file, named_environment, version_of
from remote_client.monitor.patterns import PatternTable
from remote_client.policy import AgentRule
from remote_client.ptyhost import hook_relay
from remote_client.terminals import Terminals
from shared.ids import SessionId

SETTINGS = "claude-settings.json"
TOOLS = "claude-office-tools.json"


class ClaudeAdapter:
    """Claude Code as the machine's policy allows it: `rule` names models, MCP servers, permission mode, environment."""

    name = "claude"
    abilities = Abilities(
        options=frozenset({"model", "mcp", "resume"}), confirms_prompts=True, asks_permission=True, reports_cost=True
    )

    def __init__(self, agent: str, rule: AgentRule) -> None:
        self._agent = agent
        self._rule = rule
        self._program = tuple(rule.command or ("claude",))

    def version(self) -> str | None:
        return version_of(self._program)

    def launch(self, wish: Wish) -> Launch:
        """
        Raises:
            PolicyForbids: a model or an MCP configuration that the policy does not name.
        """
        settings = wish.state / SETTINGS
        settings.write_text(json.dumps(_settings(self._rule.office_tools)))
        command = [*self._program, "--settings", str(settings), "--permission-mode", self._rule.permission_mode]
        if wish.model is not None:
            command += ["--model", allowed_model(self._agent, self._rule, wish.model)]
        files = [mcp_file(self._agent, self._rule, wish.mcp)] if wish.mcp is not None else []
        if self._rule.office_tools:
            servers = wish.state / TOOLS
            servers.write_text(json.dumps({"mcpServers": {SERVER: launching.server(self._rule.office_tools)}}))
            files.append(str(servers))
        if files:
            command += ["--mcp-config", *files]
        if wish.mcp is not None:
            command.append("--strict-mcp-config")
        if wish.resume is not None:
            command += ["--resume", wish.resume]
        environment = named_environment(self._rule) | {"TERM": "xterm-256color", "DISABLE_AUTOUPDATER": "1"}
        memory = {
            "fresh": "" if wish.resume else "yes",
            "trusted": "yes" if self._rule.trust_worktrees else "",
        }
        return Launch(command, environment, memory)

    def drive(
        self,
        session_id: SessionId,
        terminals: Terminals,
        memory: Mapping[str, str],
        patterns: PatternTable | None = None,
    ) -> AgentDriver:
        fresh, trusted = bool(memory["fresh"]), bool(memory["trusted"])
        return ClaudeDriver(session_id, terminals, patterns, fresh=fresh, trusted=trusted)


def _settings(tools: Sequence[str]) -> dict[str, Any]:
    """The hooks by which Claude Code tells what happens, its status line, which alone says what it costs, and that it
    need not ask before it calls `tools` of its office.
    """
    hooks: dict[str, Any] = {}
    for name, waits in HOOKS.items():
        relay = hook_relay.command(name, waits, PERMISSION_SECONDS if waits else None)
        hook: dict[str, Any] = {"type": "command", "command": shlex.join(relay)}
        if waits:
            hook["timeout"] = PERMISSION_SECONDS
        hooks[name] = [{"hooks": [hook]}]
    made: dict[str, Any] = {"type": "command", "command": shlex.join(hook_relay.command(COST))}
    allowed = [f"mcp__{SERVER}__{tool}" for tool in tools]
    return {"hooks": hooks, "statusLine": made, **({"permissions": {"allow": allowed}} if allowed else {})}
