"""Which agents this machine has: what the policy allows and the machine can run."""

from remote_client.agents.adapter import AgentAdapter
from remote_client.agents.claude import ClaudeAdapter
from remote_client.agents.further_agents import FURTHER_AGENTS
from remote_client.agents.screen_agent import ScreenAdapter
from remote_client.agents.shell import ShellAdapter
from remote_client.policy import AgentRule, Policy


def available_adapters(policy: Policy) -> dict[str, AgentAdapter]:
    """By the name that the policy gives them; only those whose program is there.

    Raises:
        InvalidPayload: the policy wants of an agent what its kind does not have.
    """
    found: dict[str, AgentAdapter] = {}
    for name, rule in policy.agents.items():
        adapter = _adapter(name, rule) if rule.enabled else None
        if adapter is not None and adapter.version() is not None:
            found[name] = adapter
    return found


def _adapter(name: str, rule: AgentRule) -> AgentAdapter | None:
    kind = rule.adapter or name
    if kind == "shell":
        return ShellAdapter(rule.command or ("bash",), tools=bool(rule.office_tools))
    if kind == "claude":
        return ClaudeAdapter(name, rule)
    if kind in FURTHER_AGENTS:
        return ScreenAdapter(FURTHER_AGENTS[kind], name, rule)
    return None
