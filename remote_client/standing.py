"""What the office is told of this machine besides what it can do: its policy in force, its memory, its repositories.

A summary for people: names and numbers. No command line, no value of a variable, no path outside of the allowed roots.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import psutil

from remote_client.office_link import OfficeLink
from remote_client.office_records import OfficeTerms
from remote_client.policy import AgentRule, Policy
from shared.errors import PolicyForbids
from shared.ids import OfficeId

_MEGABYTE = 1024 * 1024


def memory() -> dict[str, int]:
    """In MB; `free`: what could be given to a new program without swapping."""
    found = psutil.virtual_memory()
    return {"total": found.total // _MEGABYTE, "free": found.available // _MEGABYTE}


def policy_in_words(policy: Policy) -> dict[str, Any]:
    return {
        "allowed_roots": [_short(root) for root in policy.allowed_roots],
        "default_agent": policy.default_agent,
        "agents": {name: _agent(rule) for name, rule in policy.agents.items() if rule.enabled},
        "checks": sorted(policy.checks),
        "limits": policy.limits.model_dump(),
        "pull_requests": {name: getattr(policy.pull_requests, name) for name in ("push", "merge")},
        "approvals": policy.approvals.model_dump(),
        "recordings": policy.recordings.model_dump(),
        "on_revoked": policy.on_revoked,
        "environment": sorted(policy.variables),
    }


def repository_in_words(policy: Policy, office: OfficeId, name: str) -> dict[str, Any] | None:
    """The repository in which the work of an office happens here; None when the policy names none for it."""
    try:
        found = policy.repository_for(office, name)
    except PolicyForbids:
        return None
    told = {"name": found.path.name, "path": _short(found.path), "base": found.base}
    return told if found.path.exists() else told | {"missing": True}


class Standing:
    """Tells it with the heartbeat: the memory each time, the rest when it is another one."""

    def __init__(self, link: OfficeLink, policy: Policy, on_terms: Callable[[tuple[OfficeTerms, ...]], None]) -> None:
        self._link = link
        self._policy = policy
        self._on_terms = on_terms
        self._offices: dict[OfficeId, str] = {}
        self._told: object = None

    def serves(self, offices: Iterable[OfficeTerms]) -> None:
        self._offices = {office.office_id: office.name for office in offices}

    async def tell(self) -> None:
        """
        Raises:
            Unavailable: the office was not reached; it is told again the next time.
        """
        told = (
            policy_in_words(self._policy),
            {str(office): repository_in_words(self._policy, office, name) for office, name in self._offices.items()},
        )
        news = {"policy": told[0], "repositories": told[1]} if told != self._told else {}
        terms = await self._link.heartbeat(memory=memory(), **news)
        self._told = told
        self._on_terms(terms)


def _agent(rule: AgentRule) -> dict[str, Any]:
    return {
        "permission_mode": rule.permission_mode,
        "models": rule.models,
        "mcp": sorted(rule.mcp),
        "office_tools": list(rule.office_tools),
        "memory_mb": rule.memory_mb,
    }


def _short(path: Path) -> str:
    """The path as its owner writes it, without the name of the account."""
    home = Path.home().resolve()
    return f"~/{path.relative_to(home)}".removesuffix("/.") if path.is_relative_to(home) else str(path)
