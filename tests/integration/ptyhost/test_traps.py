"""Every trap of terminals that was ever shown to be one, each closed, with a real host and real programs."""

import asyncio
import errno
import gc
import os
import signal
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from remote_client.ptyhost.host import InProcessTerminals
from remote_client.ptyhost.host_terminals import HostTerminals
from remote_client.ptyhost.pty_terminal import LINE_BYTES, QUEUE_BYTES
from remote_client.terminals import FIRST_BYTE, ExitStatus
from remote_client.utf8 import complete_length
from shared.errors import Conflict, SessionFailed
from tests.integration.ptyhost.terminals import (
    PYTHON,
    Watched,
    host_pid,
    open_descriptors,
    spec,
    tagged,
    targets_of,
    until,
)  # fmt: skip
from tests.support.processes import child_running


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


OF_THE_C_LIBRARY = 1 << 31 | 1 << 32
"""Signals 32 and 33, which no program can change."""


async def test_eio_the_end_of_a_program_is_the_end_of_its_output_and_nothing_spins(
    terminals: HostTerminals, tmp_path: Path
):
    async with Watched.running(terminals, ["sh", "-c", "echo last words; exit 7"], tmp_path) as program:
        assert await program.ended() == ExitStatus(7, None)
        assert program.output == b"last words\r\n"
        host = await host_pid(tmp_path / "host")
        before = cpu_seconds(host)
        began = time.monotonic()
        await until(lambda: time.monotonic() - began > 0.5, "half a second")
        assert cpu_seconds(host) - before < 0.2


@pytest.mark.parametrize("size", [1, 4096, 300_000])
async def test_lost_tails_all_that_a_program_wrote_before_its_end_is_there(
    terminals: HostTerminals, tmp_path: Path, size: int
):
    script = f"import os; os.write(1, b'x' * {size}) if {size} < 4000 else print('x' * {size}, end='', flush=True)"
    for _ in range(5):
        async with Watched.running(terminals, [*PYTHON, script], tmp_path) as program:
            await program.ended()
            assert program.output == b"x" * size


async def test_lost_tails_an_end_that_overtakes_the_last_output_is_not_believed_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    read, told = os.read, list[int]()

    def overtaken(descriptor: int, most: int) -> bytes:
        if os.isatty(descriptor) and descriptor not in told:
            told.append(descriptor)
            raise OSError(errno.EIO, "the kernel's answer between the last output and its arrival")
        return read(descriptor, most)

    monkeypatch.setattr(os, "read", overtaken)
    async with Watched.running(InProcessTerminals(), ["echo", "tail"], tmp_path) as program:
        await program.ended()
        assert (program.output, len(told)) == (b"tail\r\n", 1)


async def test_lost_tails_a_grandchild_that_holds_the_terminal_open_delays_the_end_but_for_a_moment(
    terminals: HostTerminals, tmp_path: Path
):
    script = "setsid sleep 60 & echo tail; exit 0"
    began = time.monotonic()
    async with Watched.running(terminals, ["bash", "-c", script], tmp_path) as program:
        assert await program.ended() == ExitStatus(0, None)
        assert program.output == b"tail\r\n"
        assert time.monotonic() - began < 10


async def test_zombies_nobody_is_left_unreaped(terminals: HostTerminals, tmp_path: Path):
    async with AsyncExitStack() as stack:
        programs = [await stack.enter_async_context(Watched.running(terminals, ["true"], tmp_path)) for _ in range(10)]
        for program in programs:
            await program.ended()
        left = [program.pid for program in programs if Path(f"/proc/{program.pid}").exists()]
        assert left == []


async def test_zombies_children_of_others_in_the_same_process_are_not_reaped(tmp_path: Path):
    terminals = InProcessTerminals()
    other = await asyncio.create_subprocess_exec("sh", "-c", "exit 5")
    async with Watched.running(terminals, ["sh", "-c", "exit 6"], tmp_path) as program:
        assert await program.ended() == ExitStatus(6, None)
    assert await other.wait() == 5


async def test_whole_tree_kill_ends_children_that_left_their_group_and_their_session(
    terminals: HostTerminals, tmp_path: Path
):
    script = "sleep 61 & setsid sleep 62 & (setsid sh -c 'sleep 63 & wait' &) ; set -m; sleep 64 & echo up; wait"
    async with Watched.running(terminals, ["bash", "-c", script], tmp_path) as program:
        await program.until_shown("up")
        await until(lambda: len(program.processes()) >= 5, "all children run")
        children = program.processes()

        await terminals.kill(program.session_id, 0.2)

        assert [pid for pid in children if child_running(pid)] == []


async def test_whole_tree_kill_ends_a_child_that_forks_without_end(terminals: HostTerminals, tmp_path: Path):
    script = "trap '' HUP TERM; f() { sleep 0.01; (f &) ; }; f; echo up; sleep 60"
    async with Watched.running(terminals, ["bash", "-c", script], tmp_path) as program:
        await program.until_shown("up")
        await terminals.kill(program.session_id, 0.2)
        assert program.processes() == []


async def test_strays_that_outlive_their_program_are_found_by_the_tag(terminals: HostTerminals, tmp_path: Path):
    script = "setsid sh -c 'echo x > up; exec sleep 60' >/dev/null 2>&1 & until [ -s up ]; do sleep 0.02; done"
    async with Watched.running(terminals, ["bash", "-c", script], tmp_path) as program:
        await program.ended()
        assert len(program.processes()) == 1

        await terminals.kill(program.session_id, 0.2)

        assert program.processes() == []


async def test_strays_a_process_without_the_tag_is_found_by_the_session_of_its_terminal(
    terminals: HostTerminals, tmp_path: Path
):
    async with Watched.running(terminals, ["bash", "-c", "env -i sleep 60 & echo $!,; wait"], tmp_path) as program:
        await program.until_shown(",")
        child = int(program.output.partition(b",")[0])
        await terminals.kill(program.session_id, 0.2)
        assert not child_running(child)


async def test_canonical_mode_a_line_that_the_terminal_would_cut_is_refused_not_cut(
    terminals: HostTerminals, tmp_path: Path
):
    script = "read -r line; echo got ${#line},; stty -icanon -echo; echo raw,; head -c 10000 | wc -c; echo over,"
    async with Watched.running(terminals, ["bash", "-c", script], tmp_path) as program:
        assert await terminals.input_mode(program.session_id) == "line"
        with pytest.raises(Conflict):
            await program.type("x" * (LINE_BYTES + 1) + "\r")
        await program.type("y" * LINE_BYTES + "\r")
        await program.until_shown(f"got {LINE_BYTES},")

        await program.until_shown("raw,")
        assert await terminals.input_mode(program.session_id) == "raw"
        await program.type("z" * 10_000)
        await program.until_shown("over,")
        assert b"10000" in program.output


async def test_blocked_writers_a_program_that_never_reads_stops_nobody_and_can_be_killed(
    terminals: HostTerminals, tmp_path: Path
):
    script = "stty raw -echo; echo raw,; exec sleep 60"
    async with (
        Watched.running(terminals, ["bash", "-c", script], tmp_path) as deaf,
        Watched.running(terminals, ["cat"], tmp_path) as other,
    ):
        await deaf.until_shown("raw,")
        for _ in range(8):
            await deaf.type("x" * (QUEUE_BYTES // 8))
        with pytest.raises(Conflict):
            await deaf.type("x" * (QUEUE_BYTES // 8))
        await other.type("still here\n")
        await other.until_shown("still here\r\nstill here")
        assert await terminals.kill(deaf.session_id, 0.2) == ExitStatus(None, signal.SIGHUP)


async def test_deadlocked_readers_much_input_and_much_output_pass_each_other(terminals: HostTerminals, tmp_path: Path):
    size = 400_000
    script = "stty raw -echo; echo raw,; exec cat"
    async with Watched.running(terminals, ["bash", "-c", script], tmp_path) as echoing:
        await echoing.until_shown("raw,")
        begin = len(echoing.output)
        await echoing.type("x" * size)
        await echoing.until(lambda: len(echoing.output) >= begin + size)
        assert echoing.output.count(b"x", begin) == size


async def test_inherited_descriptors_no_program_has_any_but_its_terminal(terminals: HostTerminals, tmp_path: Path):
    script = "import os; print(sorted(int(fd) for fd in os.listdir('/proc/self/fd'))[:-1], flush=True); input()"
    async with (
        Watched.running(terminals, ["cat"], tmp_path) as sibling,
        Watched.running(terminals, [*PYTHON, script], tmp_path) as program,
    ):
        await program.until_shown("]")
        assert program.output == b"[0, 1, 2]\r\n"
        # A sibling's copy of the master would stop the hang-up of the first.
        assert await terminals.kill(sibling.session_id, 5) == ExitStatus(None, signal.SIGHUP)


async def test_inherited_descriptors_the_host_has_none_of_its_starter(tmp_path: Path):
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)
    root = tmp_path / "host"
    terminals = HostTerminals(root)
    try:
        async with Watched.running(terminals, ["cat"], tmp_path):
            mine = {str(Path(f"/proc/self/fd/{descriptor}").readlink()) for descriptor in (reading, writing)}
            assert mine.isdisjoint(targets_of(await host_pid(root)))
    finally:
        await terminals.stop()
        os.close(reading)
        os.close(writing)


async def test_leaked_descriptors_a_hundred_terminals_leave_none_behind(terminals: HostTerminals, tmp_path: Path):
    async with Watched.running(terminals, ["cat"], tmp_path):
        host = await host_pid(tmp_path / "host")

        async def one() -> None:
            async with Watched.running(terminals, ["echo", "hi"], tmp_path) as program:
                await program.ended()

        await one()
        before = len(open_descriptors(host))
        for _ in range(10):
            await asyncio.gather(*(one() for _ in range(10)))
        await until(lambda: len(open_descriptors(host)) <= before, "the host's descriptors are as before")


async def test_leaked_descriptors_a_program_that_cannot_start_leaves_none_and_no_copy_of_the_host(
    terminals: HostTerminals, tmp_path: Path
):
    async with Watched.running(terminals, ["cat"], tmp_path):
        host = await host_pid(tmp_path / "host")
        before = len(open_descriptors(host))
        broken = tmp_path / "broken"
        broken.write_text("#!/no/such/interpreter\n")
        broken.chmod(0o755)
        for command, folder in (
            (["no-such-program"], tmp_path),
            (["cat"], tmp_path / "gone"),
            ([str(broken)], tmp_path),
        ):
            failing = spec(command, folder)
            with pytest.raises(SessionFailed):
                await terminals.create(failing)
            assert tagged(failing.session_id) == []
        assert len(open_descriptors(host)) <= before
        children = Path(f"/proc/{host}/task/{host}/children").read_text().split()
        assert len(children) == 1, "only the first program"


async def test_double_close_a_descriptor_number_that_is_used_again_is_left_alone(tmp_path: Path):
    terminals = InProcessTerminals()
    info = await terminals.create(spec(["sh", "-c", "read x"], tmp_path))
    open_before = open_descriptors("self")
    await terminals.write(info.session_id, b"go\n")
    await terminals.wait(info.session_id)
    freed = open_before - open_descriptors("self")
    assert freed, "the terminal's descriptor was closed"

    reused = [os.open(os.devnull, os.O_RDONLY) for _ in range(20)]
    assert freed <= set(reused)
    await terminals.kill(info.session_id, 0)
    await terminals.forget(info.session_id)
    gc.collect()

    for descriptor in reused:
        os.close(descriptor)  # raises when somebody else has closed it


async def test_split_utf8_a_character_between_two_reads_is_whole_for_whoever_decodes_by_offset(
    terminals: HostTerminals, tmp_path: Path
):
    script = "import os,time\nfor byte in 'é€😀'.encode(): os.write(1, bytes([byte])); time.sleep(0.01)"
    async with Watched.running(terminals, [*PYTHON, script], tmp_path) as program:
        await program.ended()
        text, offset, rest = "", FIRST_BYTE, b""
        while (chunk := await terminals.read_from(program.session_id, offset, 1)).data:
            rest += chunk.data
            whole = complete_length(rest)
            text, rest = text + rest[:whole].decode(), rest[whole:]
            offset = chunk.end
        assert text == "é€😀"


async def test_flooding_children_leave_the_others_their_turn(terminals: HostTerminals, tmp_path: Path):
    async with AsyncExitStack() as stack:
        for _ in range(3):
            await stack.enter_async_context(Watched.running(terminals, ["yes", "flood " * 10], tmp_path))
        quiet = await stack.enter_async_context(Watched.running(terminals, ["cat"], tmp_path))
        delays: list[float] = []
        for number in range(30):
            began = time.monotonic()
            await quiet.type(f"{number},\n")
            await quiet.until_shown(f"{number},\r\n{number},\r\n")
            delays.append(time.monotonic() - began)
        assert sorted(delays)[len(delays) // 2] < 0.5, delays


async def test_a_child_that_ignores_every_signal_is_gone_after_the_grace(terminals: HostTerminals, tmp_path: Path):
    script = (
        "import signal, time\n"
        "for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}: signal.signal(number, signal.SIG_IGN)\n"
        "print('deaf', flush=True)\n"
        "while True: time.sleep(60)"
    )
    async with Watched.running(terminals, [*PYTHON, script], tmp_path) as program:
        await program.until_shown("deaf")
        await terminals.signal(program.session_id, signal.SIGTERM)
        assert await terminals.kill(program.session_id, 0.3) == ExitStatus(None, signal.SIGKILL)


async def test_a_daemonising_grandchild_is_ended_with_its_session(terminals: HostTerminals, tmp_path: Path):
    script = (
        "import os, sys, time\n"
        "if os.fork(): time.sleep(0.2); sys.exit()\n"
        "os.setsid()\n"
        "if os.fork(): os._exit(0)\n"
        "null = os.open('/dev/null', os.O_RDWR)\n"
        "for fd in range(3): os.dup2(null, fd)\n"
        "open('daemon', 'w').write(str(os.getpid()))\n"
        "time.sleep(60)"
    )
    async with Watched.running(terminals, [*PYTHON, script], tmp_path) as program:
        await program.ended()
        await until(lambda: (tmp_path / "daemon").exists() and bool((tmp_path / "daemon").read_text()), "it runs")
        daemon = int((tmp_path / "daemon").read_text())
        assert child_running(daemon)

        await terminals.kill(program.session_id, 0.2)

        assert not child_running(daemon)


@pytest.fixture
def ignoring_ctrl_c() -> Iterator[None]:
    """As what a script starts in the background does."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ignoring_ctrl_c")
async def test_ignored_signals_of_the_host_are_not_handed_down(terminals: HostTerminals, tmp_path: Path):
    async with Watched.running(terminals, ["grep", "-E", "^Sig(Ign|Blk)", "/proc/self/status"], tmp_path) as program:
        await program.ended()
        masks = [int(line.split()[1], 16) & ~OF_THE_C_LIBRARY for line in program.output.decode().splitlines()]
        assert masks == [0, 0], program.output


async def test_files_of_a_program_are_as_open_as_the_person_s_own(terminals: HostTerminals, tmp_path: Path):
    own = tmp_path / "own"
    own.touch()
    async with Watched.running(terminals, ["touch", str(tmp_path / "theirs")], tmp_path) as program:
        await program.ended()
    assert (tmp_path / "theirs").stat().st_mode == own.stat().st_mode
