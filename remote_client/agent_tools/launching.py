"""How an agent's program starts the tools of its office: with our own Python, and never from the worktree."""

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from remote_client.terminals import HOOK_SOCKET, HOOK_TOKEN

COMMAND = "semo-agent"
_HERE = [sys.executable, "-I", "-m", "remote_client.agent_tools"]


def server(tools: Sequence[str]) -> dict[str, Any]:
    """An MCP server as an agent's configuration names it. Holds no secret: it gets what the hooks have."""
    variables = {name: f"${{{name}}}" for name in (HOOK_SOCKET, HOOK_TOKEN)}
    return {"type": "stdio", "command": _HERE[0], "args": [*_HERE[1:], "serve", *tools], "env": variables}


def path_with_command(folder: Path) -> str:
    """The PATH of a session in which `semo-agent TOOL [JSON]` calls a tool. The command lies in `folder`."""
    folder.mkdir(exist_ok=True)
    program = folder / COMMAND
    program.write_text(f'#!/bin/sh\nexec {shlex.join(_HERE)} call "$@"\n')
    program.chmod(0o700)
    return f"{folder}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
