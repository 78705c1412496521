"""The MCP server of a session over real stdio, spoken to by the official client; its calls are heard as by a host."""

import asyncio
import json
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

from remote_client.agent_tools.tools import CALL_EVENT, TOOL_NAMES
from remote_client.policy import parse_policy
from remote_client.ptyhost.protocol import pack, read_frame
from remote_client.terminals import HOOK_SOCKET, HOOK_TOKEN

SERVER = ("-I", "-m", "remote_client.agent_tools")


@dataclass
class Host:
    """Hears hooks as a terminal's host does, and answers as it is told."""

    socket: Path
    answers: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    heard: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    @property
    def environment(self) -> dict[str, str]:
        return {HOOK_SOCKET: str(self.socket), HOOK_TOKEN: "token-of-this-session"}

    async def hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        frame = await read_frame(reader)
        assert frame is not None
        self.heard.append({"header": frame.header, **json.loads(frame.body)})
        if self.answers:
            writer.write(pack({"ok": True}, json.dumps(self.answers.pop(0)).encode()))
            await writer.drain()
        writer.close()


@asynccontextmanager
async def hosting(folder: Path, *answers: dict[str, Any]) -> AsyncGenerator[Host]:
    host = Host(folder / "hooks.sock", list(answers))
    server = await asyncio.start_unix_server(host.hear, host.socket)
    async with server:
        yield host


@asynccontextmanager
async def speaking(host: Host, *tools: str) -> AsyncGenerator[ClientSession]:
    parameters = StdioServerParameters(command=sys.executable, args=[*SERVER, "serve", *tools], env=host.environment)
    async with stdio_client(parameters) as (read, write), ClientSession(read, write) as session:
        await session.initialize()
        yield session


async def test_the_official_client_lists_and_calls_the_tools_that_the_machine_allows(tmp_path: Path) -> None:
    answers = ({"answer": {"noted": True}}, {"error": "this session works on no spec task", "code": "conflict"})
    async with hosting(tmp_path, *answers) as host, speaking(host, "report_progress", "spawn_session") as session:
        listed = (await session.list_tools()).tools
        assert [tool.name for tool in listed] == ["report_progress", "spawn_session"]
        noted = await session.call_tool("report_progress", {"text": "half", "percent": 50})
        assert (noted.is_error, json.loads(noted.content[0].text)) == (False, {"noted": True})  # type: ignore[union-attr]
        refused = await session.call_tool("spawn_session", {"title": "x"})
        assert (refused.is_error, "no spec task" in refused.content[0].text) == (True, True)  # type: ignore[union-attr]
        forbidden = await session.call_tool("ask_person", {"text": "x"})
        assert forbidden.is_error
    first, second = host.heard
    assert first["header"] == {"token": "token-of-this-session", "name": CALL_EVENT, "waits": True, "truncated": False}
    assert (first["tool"], first["arguments"]) == ("report_progress", {"text": "half", "percent": 50})
    assert first["call"] != second["call"]


async def test_a_call_that_nobody_hears_is_said_to_the_agent_and_the_server_goes_on(tmp_path: Path) -> None:
    async with hosting(tmp_path) as host, speaking(host, "read_messages") as session:
        for _ in range(2):
            unheard = await session.call_tool("read_messages", {})
            assert (unheard.is_error, "cannot be reached" in unheard.content[0].text) == (True, True)  # type: ignore[union-attr]


async def once(host: Host, *words: str) -> tuple[int | None, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, *SERVER, "call", *words, env=host.environment,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    return process.returncode, out.decode().strip(), err.decode().strip()


async def test_a_script_calls_the_same_by_a_command(tmp_path: Path) -> None:
    async with hosting(tmp_path, {"answer": {"messages": []}}, {"error": "no", "code": "forbidden"}) as host:
        assert await once(host, "read_messages") == (0, '{"messages": []}', "")
        assert await once(host, "leave_message", '{"text": "x"}') == (1, "", "no")
        assert (await once(host, "leave_message", "{"))[0] == 2
        assert (await once(host, "dance"))[0] == 2
        assert len(host.heard) == 2


@pytest.mark.parametrize(
    ("rule", "tools"),
    [("", list(TOOL_NAMES)), ("office_tools = []", []), ('office_tools = ["ask_person"]', ["ask_person"])],
)
def test_the_machine_s_policy_says_which_tools_an_agent_has(rule: str, tools: list[str]) -> None:
    policy = parse_policy(f'allowed_roots = ["/srv"]\n[agents.claude]\n{rule}\n', "policy.toml")
    assert policy.tools_of("claude") == tools
    assert policy.tools_of("another") == []
