"""The MCP server of one session: lists the tools that the machine allows, and hands each call on. Keeps nothing."""

import json
import logging
from collections.abc import Callable
from typing import Any

import anyio
import mcp_types as types
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

from remote_client.agent_tools.calling import NotHeard
from remote_client.agent_tools.tools import SERVER, TOOLS

Call = Callable[[str, dict[str, Any]], dict[str, Any]]

INSTRUCTIONS = (
    "Your office: share what you do with the sessions that work on the same task, and with the people who follow it."
)


def server_of(allowed: list[str], call: Call) -> Server[Any]:
    """`call` blocks until there is an answer."""

    async def list_tools(_context: Any, _parameters: Any) -> types.ListToolsResult:
        return types.ListToolsResult(
            tools=[
                types.Tool(name=name, description=TOOLS[name].description, input_schema=TOOLS[name].schema)
                for name in allowed
            ]
        )

    async def call_tool(_context: Any, parameters: types.CallToolRequestParams) -> types.CallToolResult:
        if parameters.name not in allowed:
            return _said(f"there is no tool {parameters.name}", wrong=True)
        try:
            answer = await anyio.to_thread.run_sync(
                call, parameters.name, parameters.arguments or {}, abandon_on_cancel=True
            )
        except NotHeard as error:
            return _said(str(error), wrong=True)
        if "error" in answer:
            return _said(str(answer["error"]), wrong=True)
        return _said(json.dumps(answer["answer"], ensure_ascii=False), wrong=False)

    return Server(SERVER, instructions=INSTRUCTIONS, on_list_tools=list_tools, on_call_tool=call_tool)


def _said(text: str, *, wrong: bool) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)], is_error=wrong)


async def serve(allowed: list[str], call: Call) -> None:
    """Until stdin ends. Only MCP goes to stdout."""
    logging.basicConfig(level=logging.WARNING)
    server = server_of(allowed, call)
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())
