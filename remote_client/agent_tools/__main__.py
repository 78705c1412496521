"""`python -m remote_client.agent_tools serve TOOL…` is an MCP server on stdio, `… call TOOL [JSON]` one call.

A call prints the answer's JSON. Exit codes: 0 answered; 1 refused, in words on stderr; 2 nobody heard it.
"""

import json
import sys
from typing import Any

from remote_client.agent_tools.calling import NotHeard, call
from remote_client.agent_tools.tools import TOOLS

_USAGE = "semo-agent TOOL [JSON], where TOOL is one of " + ", ".join(TOOLS)


def main(words: list[str]) -> int:
    match words:
        case ["serve", *allowed]:
            import asyncio

            from remote_client.agent_tools.server import serve

            asyncio.run(serve([name for name in allowed if name in TOOLS], call))
            return 0
        case ["call", tool] | ["call", tool, ""] if tool in TOOLS:
            return _once(tool, {})
        case ["call", tool, arguments] if tool in TOOLS:
            return _once(tool, _arguments(arguments))
        case _:
            return _complain(_USAGE, 2)


def _arguments(text: str) -> dict[str, Any]:
    try:
        found: Any = json.loads(text)
    except ValueError as error:
        sys.exit(_complain(f"the arguments are no JSON: {error}", 2))
    return found if isinstance(found, dict) else {}  # pyright: ignore[reportUnknownVariableType]


def _once(tool: str, arguments: dict[str, Any]) -> int:
    try:
        answer = call(tool, arguments)
    except NotHeard as error:
        return _complain(str(error), 2)
    if "error" in answer:
        return _complain(str(answer["error"]), 1)
    sys.stdout.write(json.dumps(answer["answer"], ensure_ascii=False) + "\n")
    return 0


def _complain(words: str, exit_code: int) -> int:
    sys.stderr.write(words + "\n")
    return exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
