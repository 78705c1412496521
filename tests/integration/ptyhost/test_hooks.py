"""Hooks of an agent, through the relay into the host, to the client and back."""

import asyncio
import json
import os
import shlex
import signal
import time
from pathlib import Path

import pytest

from remote_client.ptyhost import hook_relay
from remote_client.ptyhost.host_terminals import HostTerminals
from remote_client.terminals import FIRST_BYTE, HOOK_SOCKET, HOOK_TOKEN, HookEvent
from shared.errors import Conflict, SessionFailed
from shared.ids import ByteOffset
from tests.integration.ptyhost.terminals import WAIT_SECONDS, Watched, host_pid, hosted, spec, until


def relay(name: str, waits: bool = False, timeout_seconds: float | None = None) -> str:
    return shlex.join(hook_relay.command(name, waits, timeout_seconds))


async def test_a_hook_event_stands_where_it_was_said_between_what_was_put_out(terminals: HostTerminals, tmp_path: Path):
    say = f'echo before $n; echo {{\\"n\\": $n}} | {relay("Stop")}'
    script = f"for n in 1 2 3; do {say}; done; echo over,; read x"
    async with Watched.running(terminals, ["bash", "-c", script], tmp_path) as agent:
        await agent.until_shown("over,")
        assert [(hook.number, hook.name, hook.body) for hook in agent.hooks] == [
            (1, "Stop", {"n": 1}), (2, "Stop", {"n": 2}), (3, "Stop", {"n": 3}),
        ]  # fmt: skip
        for hook in agent.hooks:
            assert agent.output[: hook.at].endswith(f"before {hook.number}\r\n".encode())


async def test_a_reader_that_comes_back_gets_only_the_hooks_after_the_last_it_had(
    terminals: HostTerminals, tmp_path: Path
):
    script = f"for n in 1 2 3; do echo {{}} | {relay('Stop')}; done; echo over,; read x"
    async with Watched.running(terminals, ["bash", "-c", script], tmp_path) as agent:
        await agent.until_shown("over,")
        (info,) = await terminals.list()
        assert info.last_hook == 3
        stream = terminals.follow(agent.session_id, ByteOffset(agent.position), after_hook=2)
        again = await anext(stream)
        await stream.aclose()
        assert isinstance(again, HookEvent)
        assert again.number == 3


async def test_a_waiting_hook_stands_until_it_is_answered_once(terminals: HostTerminals, tmp_path: Path):
    script = f'echo \'{{"tool": "Bash"}}\' | {relay("PermissionRequest", True)}; echo; echo went on,; read x'
    async with Watched.running(terminals, ["bash", "-c", script], tmp_path) as agent:
        await agent.until(lambda: bool(agent.hooks))
        (hook,) = agent.hooks
        assert (hook.waits, hook.body) == (True, {"tool": "Bash"})

        await terminals.answer_hook(agent.session_id, hook.number, {"behavior": "allow"})

        await agent.until_shown("went on,")
        assert json.loads(agent.output.split(b"\r\n")[0]) == {"behavior": "allow"}
        with pytest.raises(Conflict):
            await terminals.answer_hook(agent.session_id, hook.number, {"behavior": "deny"})
        replayed = await anext(terminals.follow(agent.session_id, FIRST_BYTE))
        assert isinstance(replayed, HookEvent)
        assert not replayed.waits


async def test_a_waiting_hook_survives_its_client_and_is_answered_by_the_next(tmp_path: Path):
    first = HostTerminals(tmp_path / "host")
    script = f"echo {{}} | {relay('PermissionRequest', True)}; echo; echo went on,; read x"
    agent = Watched(first, await first.create(spec(["bash", "-c", script], tmp_path)))
    await agent.until(lambda: bool(agent.hooks))
    agent.following.cancel()
    await first.detach()

    second = HostTerminals(tmp_path / "host")
    try:
        (info,) = await second.list()
        again = Watched(second, info)
        await again.until(lambda: bool(again.hooks))
        assert again.hooks[0].waits
        await second.answer_hook(info.session_id, 1, {"yes": True})
        await again.until_shown("went on,")
    finally:
        await second.stop()


async def test_a_waiting_hook_goes_on_when_its_own_time_is_over(terminals: HostTerminals, tmp_path: Path):
    script = f"echo {{}} | {relay('PermissionRequest', True, 0.3)}; echo status $?,; read x"
    async with Watched.running(terminals, ["bash", "-c", script], tmp_path) as agent:
        await agent.until_shown("status 0,")
        await _until_refused(terminals, agent)


async def test_a_waiting_hook_ends_with_its_terminal(terminals: HostTerminals, tmp_path: Path):
    script = f"(echo {{}} | setsid {relay('PermissionRequest', True)}; echo $? > ended) & read x; exit 0"
    async with Watched.running(terminals, ["bash", "-c", script], tmp_path) as agent:
        await agent.until(lambda: bool(agent.hooks))
        await agent.type("\n")
        await agent.ended()
        with pytest.raises(Conflict):
            await terminals.answer_hook(agent.session_id, 1, {})


async def _until_refused(terminals: HostTerminals, agent: Watched) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            try:
                await terminals.answer_hook(agent.session_id, 1, {})
            except Conflict:
                return


async def test_a_body_beyond_the_limit_is_kept_without_its_long_texts(terminals: HostTerminals, tmp_path: Path):
    body = {"hook_event_name": "PostToolUse", "tool_response": {"stdout": "x" * (2 * hook_relay.BODY_BYTES)}}
    (tmp_path / "body").write_text(json.dumps(body))
    script = f"{relay('PostToolUse')} < body; echo over,; read x"
    async with Watched.running(terminals, ["bash", "-c", script], tmp_path) as agent:
        await agent.until_shown("over,")
        (hook,) = agent.hooks
        assert hook.truncated
        assert hook.body["hook_event_name"] == "PostToolUse"
        assert len(hook.body["tool_response"]["stdout"]) < 10_000


async def test_a_hook_with_another_s_token_is_not_heard(terminals: HostTerminals, tmp_path: Path):
    script = f"export {HOOK_TOKEN}=0123; echo {{}} | {relay('Stop')}; echo status $?,; read x"
    async with Watched.running(terminals, ["bash", "-c", script], tmp_path) as agent:
        await agent.until_shown("status 0,")
        assert agent.hooks == []
        missed = (tmp_path / "host" / "v1" / "hooks-missed.log").read_text()
        assert str(agent.session_id) in missed
        assert "Stop" in missed


async def test_without_a_host_the_relay_gets_in_nobody_s_way_and_leaves_a_line(tmp_path: Path):
    environment = {HOOK_SOCKET: str(tmp_path / "hooks"), HOOK_TOKEN: "x", "SEMO_SESSION_ID": "one"}
    began = time.monotonic()
    for waits in (False, True):
        process = await asyncio.create_subprocess_exec(
            *hook_relay.command("Stop", waits), env=environment,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        said, _ = await process.communicate(b"{}")
        assert (process.returncode, said) == (0, b"")
    assert time.monotonic() - began < 5
    assert (tmp_path / "hooks-missed.log").read_text().count("one Stop: ") == 2


async def test_without_any_of_our_variables_the_relay_is_as_quiet():
    process = await asyncio.create_subprocess_exec(
        *hook_relay.command("Stop"), env={},
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await process.communicate()
    assert (process.returncode, said) == (0, b"")


async def test_a_killed_host_lets_a_waiting_hook_go_on(tmp_path: Path):
    async with hosted(tmp_path / "host") as terminals:
        script = f"trap '' HUP; echo {{}} | {relay('PermissionRequest', True)}; echo $? > ended; sleep 60"
        agent = Watched(terminals, await terminals.create(spec(["bash", "-c", script], tmp_path)))
        await agent.until(lambda: bool(agent.hooks))
        os.kill(await host_pid(tmp_path / "host"), signal.SIGKILL)
        await until(lambda: (tmp_path / "ended").exists() and bool((tmp_path / "ended").read_text()), "it goes on")
        assert (tmp_path / "ended").read_text() == "0\n"
        with pytest.raises(SessionFailed):
            await agent.following
