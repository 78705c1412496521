"""What is the same for every agent that is a program with a policy: its version, its environment, its model."""

import os
import re
import shutil
import subprocess
from collections.abc import Sequence

from remote_client.policy import AgentRule
from shared.errors import PolicyForbids

VERSION_SECONDS = 10.0


def version_of(program: Sequence[str]) -> str | None:
    """What `program --version` says; None when the program is not there, or says nothing like a version."""
    path = shutil.which(program[0])
    if path is None:
        return None
    command = [path, *program[1:], "--version"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=VERSION_SECONDS, check=False).stdout
    except subprocess.TimeoutExpired:
        return None
    found = re.search(r"\d+\.\d+\.\d+", said)
    return found[0] if found else None


def named_environment(rule: AgentRule) -> dict[str, str]:
    """The variables that the policy names for this agent alone, as far as this process has them."""
    return {name: os.environ[name] for name in rule.environment if name in os.environ}


def allowed_model(agent: str, rule: AgentRule, model: str) -> str:
    """
    Raises:
        PolicyForbids: the policy names models, and this is none of them.
    """
    if rule.models is not None and model not in rule.models:
        raise PolicyForbids(f'the policy of this machine does not allow the model "{model}" ([agents.{agent}] models)')
    return model


def mcp_file(agent: str, rule: AgentRule, name: str) -> str:
    """The file that the policy has under this name.

    Raises:
        PolicyForbids: it has none.
    """
    if name not in rule.mcp:
        raise PolicyForbids(f'the policy of this machine has no MCP configuration "{name}" ([agents.{agent}.mcp])')
    return str(rule.mcp[name])
