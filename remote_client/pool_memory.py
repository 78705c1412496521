"""Whether the machine has the memory for one more session. Knows what kinds of agents take, not which run."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import psutil

from remote_client.policy import Policy

EXPECTED_MB = {"shell": 5, "claude": 250, "codex": 210, "gemini": 310, "opencode": 860, "aider": 260}
"""What an agent takes some seconds after its start, by its kind."""
UNKNOWN_MB = 250
MEGABYTE = 1024 * 1024


def available_mb() -> int:
    """What could be given to a new program without swapping."""
    return psutil.virtual_memory().available // MEGABYTE


@dataclass(frozen=True)
class Shortage:
    """`needed_mb`: what must be available for another session of the agent to be begun."""

    agent: str
    free_mb: int
    needed_mb: int

    def __str__(self) -> str:
        return f"{self.free_mb} MB of memory are free; another session of {self.agent} needs {self.needed_mb} MB"


class Memory:
    def __init__(self, policy: Policy, available: Callable[[], int] = available_mb) -> None:
        self._policy = policy
        self._available = available

    def shortage(self, agent: str, beginning: Iterable[str | None]) -> Shortage | None:
        """What keeps another session of `agent` from being begun; None when nothing does.

        `beginning`: the agents that are being started and have not taken their memory yet.
        """
        return next(self._shortages([agent], beginning), None)

    def holding_back(self, beginning: Iterable[str | None]) -> dict[str, Any] | None:
        """What the office is told when some agent of this machine finds no memory; None when all do."""
        enabled = [agent for agent, rule in self._policy.agents.items() if rule.enabled]
        short = list(self._shortages(enabled, beginning))
        if not short:
            return None
        return {
            "reason": "low_memory",
            "free_mb": short[0].free_mb,
            "agents": {one.agent: {"needed_mb": one.needed_mb} for one in short},
        }

    def _shortages(self, agents: Iterable[str], beginning: Iterable[str | None]) -> Iterator[Shortage]:
        least = self._policy.limits.min_free_memory_mb
        if least == 0:
            return
        free = self._available()
        taken = least + sum(self._expected_mb(one) for one in beginning)
        for agent in agents:
            needed = taken + self._expected_mb(agent)
            if free < needed:
                yield Shortage(agent, free, needed)

    def _expected_mb(self, agent: str | None) -> int:
        rule = self._policy.agents.get(agent or "")
        if rule is not None and rule.memory_mb is not None:
            return rule.memory_mb
        kind = (rule.adapter if rule is not None else None) or agent
        return EXPECTED_MB.get(kind or "", UNKNOWN_MB)
