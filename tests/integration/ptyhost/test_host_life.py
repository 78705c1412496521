"""When a host begins, whom it outlives, when it ends; and that nobody and nothing gets lost on the way."""

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from remote_client.ptyhost.host_terminals import HostTerminals
from remote_client.ptyhost.places import LONGEST_PATH, own_place
from remote_client.terminals import FIRST_BYTE, UNSEEN_EXIT, Chunk
from shared.errors import InvalidPayload, NotFound, SessionFailed
from shared.ids import ByteOffset
from tests.integration.ptyhost.terminals import (
    WAIT_SECONDS,
    Watched,
    all_output,
    host_of,
    host_pid,
    hosted,
    spec,
    tagged,
    targets_of,
    until,
)  # fmt: skip
from tests.support.processes import child_running, command_lines, environment_of

REPOSITORY = Path(__file__).parents[3]


def hosts_at(root: Path) -> list[int]:
    """Living hosts of a folder; the process that starts one and soon returns is none."""
    return [pid for pid, line in command_lines() if f"--place={root}" in line and os.getsid(pid) == pid]


async def test_there_is_no_host_before_the_first_terminal(terminals: HostTerminals, tmp_path: Path):
    assert await terminals.list() == []
    assert hosts_at(tmp_path / "host") == []


async def test_two_starters_at_once_share_one_host(tmp_path: Path):
    root = tmp_path / "host"
    async with hosted(root) as one, hosted(root) as other, hosted(root) as third:
        infos = await asyncio.gather(
            *(client.create(spec(["cat"], tmp_path)) for client in (one, other, third) for _ in range(2))
        )
        assert len(hosts_at(root)) == 1
        assert {info.session_id for info in await other.list()} == {info.session_id for info in infos}


COUNTING = "stty -echo; for i in $(seq 200); do echo line $i; sleep 0.01; done; echo over,"

CLIENT_THAT_DIES = """
import asyncio, sys
from pathlib import Path
from tests.integration.ptyhost.terminals import HostTerminals, Watched, spec

async def main():
    terminals = HostTerminals(Path(sys.argv[1]))
    info = await terminals.create(spec(["bash", "-c", sys.argv[2] + "; read x"], Path(sys.argv[1])))
    program = Watched(terminals, info)
    await program.until_shown("line 20")
    print(info.session_id, program.position, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_a_client_killed_in_the_middle_finds_its_terminals_and_misses_no_byte(tmp_path: Path):
    root = tmp_path / "host"
    root.mkdir(mode=0o700)
    client = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CLIENT_THAT_DIES, str(root), COUNTING, cwd=REPOSITORY, stdout=asyncio.subprocess.PIPE
    )
    assert client.stdout is not None
    session, position = (await client.stdout.readline()).split()
    client.kill()
    await client.wait()

    async with hosted(root) as terminals:
        (found,) = await terminals.list()
        assert str(found.session_id).encode() == session
        assert found.exit is None
        assert found.begin == 0
        assert child_running(found.pid)
        output = await all_output(terminals, found.session_id)
        async with asyncio.timeout(WAIT_SECONDS):
            async for chunk in terminals.follow(found.session_id, ByteOffset(len(output))):
                assert isinstance(chunk, Chunk)
                assert chunk.start == len(output)
                output += chunk.data
                if b"over," in output:
                    break
        assert len(output) > int(position)
        assert [int(number) for number in re.findall(rb"line (\d+)\r\n", output)] == list(range(1, 201))


async def test_a_host_ends_when_nobody_needs_it(tmp_path: Path):
    root = tmp_path / "host"
    async with hosted(root, idle_seconds=0.2) as terminals:
        async with Watched.running(terminals, ["true"], tmp_path):
            pid = await host_pid(root)
        await terminals.detach()
        await until(lambda: not child_running(pid), "the idle host has ended")
        assert await terminals.list() == []
        async with Watched.running(terminals, ["cat"], tmp_path):
            assert await host_pid(root) != pid


async def test_a_host_stays_while_a_terminal_lives(tmp_path: Path):
    root = tmp_path / "host"
    async with hosted(root, idle_seconds=0.1) as terminals:
        info = await terminals.create(spec(["sleep", "1"], tmp_path))
        pid = await host_pid(root)
        await terminals.detach()
        await until(lambda: not child_running(info.pid), "the program has ended by itself")
        await until(lambda: not child_running(pid), "then the host ends, too")
        (found,) = await terminals.list()
        assert str(found.exit) == "exited with status 0"


async def test_terminals_that_no_client_asks_for_are_ended_in_the_end(tmp_path: Path):
    root = tmp_path / "host"
    async with hosted(root, idle_seconds=0.2, alone_seconds=0.3) as terminals:
        info = await terminals.create(spec(["sleep", "60"], tmp_path))
        pid = await host_pid(root)
        await terminals.detach()
        await until(lambda: not child_running(pid), "the forgotten host has ended")
        assert not child_running(info.pid)


async def test_a_host_that_nobody_can_reach_any_more_ends_and_takes_its_terminals_along(tmp_path: Path):
    root = tmp_path / "host"
    terminals = HostTerminals(root, idle_seconds=0.2)
    info = await terminals.create(spec(["sleep", "60"], tmp_path))
    pid = await host_pid(root)
    await terminals.detach()
    shutil.rmtree(root)
    await until(lambda: not child_running(pid) and not child_running(info.pid), "both are gone")


async def test_stopping_leaves_no_process_and_no_socket(tmp_path: Path):
    root = tmp_path / "host"
    terminals = HostTerminals(root)
    infos = [await terminals.create(spec(["bash", "-c", "trap '' HUP; sleep 60"], tmp_path)) for _ in range(3)]
    pid = await host_pid(root)

    await terminals.stop()

    await until(lambda: not child_running(pid), "its last steps", seconds=0.5)
    assert [info.pid for info in infos if child_running(info.pid)] == []
    assert [path for path in root.rglob("*") if path.is_socket()] == []


async def test_a_killed_host_is_told_clearly_its_strays_are_ended_and_its_output_stays(tmp_path: Path):
    root = tmp_path / "host"
    async with hosted(root) as terminals:
        script = "setsid sh -c 'trap \"\" HUP; echo x > up; sleep 60' & trap '' HUP; echo before,; sleep 60"
        info = await terminals.create(spec(["bash", "-c", script], tmp_path))
        program = Watched(terminals, info)
        await program.until_shown("before,")
        await until(lambda: (tmp_path / "up").exists(), "the stray runs")
        waiting = asyncio.create_task(terminals.wait(info.session_id))
        await asyncio.sleep(0)

        os.kill(await host_pid(root), signal.SIGKILL)

        with pytest.raises(SessionFailed):
            await asyncio.wait_for(program.following, WAIT_SECONDS)
        with pytest.raises(SessionFailed):
            await asyncio.wait_for(waiting, WAIT_SECONDS)
        with pytest.raises(SessionFailed):
            await terminals.write(info.session_id, b"more\n")
        assert tagged(info.session_id) == [], "the next host has ended what was left"
        assert (await all_output(terminals, info.session_id)) == bytes(program.output)
        (left,) = await terminals.list()
        assert (left.session_id, left.exit, left.end) == (info.session_id, UNSEEN_EXIT, program.position)
        assert await terminals.kill(info.session_id, 0.1) == UNSEEN_EXIT
        await terminals.forget(info.session_id)
        with pytest.raises(NotFound):
            await terminals.read_from(info.session_id, FIRST_BYTE, 1)
        async with Watched.running(terminals, ["cat"], tmp_path) as fresh:
            await fresh.type("works\n")
            await fresh.until_shown("works")


async def test_a_host_knows_next_to_nothing_of_its_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SUPABASE_SERVICE_ROLE_KEY", "very secret")
    root = tmp_path / "host"
    async with hosted(root) as terminals, Watched.running(terminals, ["env"], tmp_path) as program:
        await program.ended()
        pid = await host_pid(root)
        names = {line.partition("=")[0] for line in environment_of(pid).splitlines() if line}
        assert names <= {"HOME", "LANG", "LC_ALL", "PATH", "TMPDIR", "TZ"}
        assert b"secret" not in program.output
        assert Path(f"/proc/{pid}/cwd").readlink() == Path("/")
        unknown = {
            target
            for target in targets_of(pid)
            if not target.startswith(("socket:", "anon_inode:", "/dev/null", str(root)))
        }
        assert unknown <= {"/dev/ptmx", "/dev/pts/ptmx"}, unknown


def test_a_host_loads_nothing_heavy():
    script = "import sys, json, remote_client.ptyhost.server; print(json.dumps(sorted(sys.modules)))"
    ran = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, check=True)
    heavy = {"pydantic", "supabase", "fastapi", "structlog", "httpx", "orjson", "git", "multiprocessing"}
    assert heavy.isdisjoint(json.loads(ran.stdout))


async def test_only_the_owner_can_look_in(tmp_path: Path):
    root = tmp_path / "host"
    async with hosted(root) as terminals, Watched.running(terminals, ["cat"], tmp_path):
        for path in (root, *root.rglob("*")):
            assert path.stat().st_mode & 0o077 == 0, path


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
async def test_another_user_who_reaches_the_socket_is_turned_away(terminals: HostTerminals, tmp_path: Path):
    async with Watched.running(terminals, ["cat"], tmp_path):
        address = own_place(tmp_path / "host").address()
        assert address is not None
        socket_path = address / "control"
        for path in (socket_path, *socket_path.parents):
            if path.is_relative_to("/tmp") and path != Path("/tmp"):
                path.chmod(0o777)
        script = (
            "import os, socket, sys\n"
            "os.setgid(65534); os.setuid(65534)\n"
            "s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])\n"
            's.sendall(b\'\\0\\0\\0\\x16\\0\\0\\0\\0\' + b\'{"id": 1, "op": "list"}\')\n'
            "print(len(s.recv(100)))"
        )
        stranger = await asyncio.create_subprocess_exec(
            sys.executable, "-c", script, str(socket_path), stdout=asyncio.subprocess.PIPE, cwd="/"
        )
        said, _ = await stranger.communicate()
        assert said in (b"0\n", b""), said


async def test_a_deep_state_folder_is_no_obstacle_and_nothing_is_left_in_the_temporary_files(tmp_path: Path):
    root = tmp_path / ("deep" * 20) / ("deeper" * 20)
    assert len(str(root)) > LONGEST_PATH
    terminals = HostTerminals(root)
    async with Watched.running(terminals, ["cat"], tmp_path) as program:
        await program.type("hello\n")
        await program.until_shown("hello\r\nhello")
        address = own_place(root).address()
        assert address is not None
        assert address.stat().st_mode & 0o777 == 0o700
    await terminals.stop()
    assert not address.exists()


def copy_of_version(version: int, folder: Path) -> Path:
    """The source tree as if another version of the protocol were ours."""
    for name in ("remote_client/ptyhost", "shared"):
        shutil.copytree(REPOSITORY / name, folder / name)
    for name in ("remote_client/__init__.py", "remote_client/sockets.py", "remote_client/terminals.py"):
        shutil.copy(REPOSITORY / name, folder / name)
    protocol = folder / "remote_client/ptyhost/protocol.py"
    text = protocol.read_text()
    assert "VERSION = 1\n" in text
    protocol.write_text(text.replace("VERSION = 1\n", f"VERSION = {version}\n"))
    return folder


OLDER_CLIENT = """
import asyncio, sys
from pathlib import Path
from uuid import UUID
from remote_client.ptyhost.host_terminals import HostTerminals, host_environment
from remote_client.terminals import TerminalSpec
import remote_client.ptyhost.host_terminals as module

async def main():
    # As an installed older version would start its own host: from its own tree.
    terminals = HostTerminals(Path(sys.argv[1]))
    launch = asyncio.create_subprocess_exec
    async def from_here(python, isolated, *rest, **more):
        return await launch(python, *rest, cwd=sys.argv[2], **more)
    module.asyncio.create_subprocess_exec = from_here
    spec = TerminalSpec(UUID(sys.argv[3]), ["cat"], Path("/tmp"), {"PATH": "/usr/bin:/bin"}, 80, 24)
    print((await terminals.create(spec)).pid, flush=True)

asyncio.run(main())
"""


@pytest.mark.parametrize("other", [0, 2])
async def test_a_session_of_another_version_stays_where_it_is_is_listed_and_can_be_ended(tmp_path: Path, other: int):
    root = tmp_path / "host"
    tree = copy_of_version(other, tmp_path / "tree")
    theirs = spec(["cat"], tmp_path).session_id
    client = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OLDER_CLIENT, str(root), str(tree), str(theirs), cwd=tree, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await client.communicate()
    their_pid = int(said)

    async with hosted(root) as terminals:
        ours = await terminals.create(spec(["cat"], tmp_path))
        assert {info.session_id for info in await terminals.list()} == {ours.session_id, theirs}
        assert len(hosts_at(root)) == 2
        with pytest.raises(SessionFailed):
            await terminals.write(theirs, b"not understood\n")
        assert child_running(their_pid)

        await terminals.kill(theirs, 0.2)

        assert not child_running(their_pid)
        await terminals.forget(theirs)
        assert [info.session_id for info in await terminals.list()] == [ours.session_id]
    assert hosts_at(root) == [], "no host is out of reach"


async def test_what_a_dead_host_of_another_version_left_is_taken_over(tmp_path: Path):
    root = tmp_path / "host"
    tree = copy_of_version(0, tmp_path / "tree")
    theirs = spec(["cat"], tmp_path).session_id
    client = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OLDER_CLIENT, str(root), str(tree), str(theirs), cwd=tree, stdout=asyncio.subprocess.PIPE
    )
    await client.communicate()
    (host,) = hosts_at(root)
    os.kill(host, signal.SIGKILL)
    await until(lambda: not child_running(host), "it is dead")

    async with hosted(root) as terminals:
        (left,) = await terminals.list()
        assert (left.session_id, left.exit) == (theirs, UNSEEN_EXIT)
        assert tagged(theirs) == []


async def test_a_request_that_makes_no_sense_ends_neither_the_connection_nor_the_host(
    terminals: HostTerminals, tmp_path: Path
):
    async with Watched.running(terminals, ["cat"], tmp_path) as program:
        link = await host_of(tmp_path / "host")
        for op in ("dance", "create", "write", "follow"):
            with pytest.raises(InvalidPayload):
                await link.call(op, session_id=7)
        status, _ = await link.call("status")
        assert status["terminals"] == 1
        await link.close()
        await program.type("still\n")
        await program.until_shown("still")
