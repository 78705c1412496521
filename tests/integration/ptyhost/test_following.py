"""What a reader is told: each byte once, hook events in their place, gaps as gaps; what a slow one costs others."""

import asyncio
import signal
from dataclasses import replace
from pathlib import Path

from remote_client.ptyhost.host_terminals import HostTerminals
from remote_client.ptyhost.protocol import WINDOW_BYTES
from remote_client.ptyhost.pty_terminal import PtyTerminal
from remote_client.ptyhost.turns import TURN_BYTES, Turns
from remote_client.terminals import FIRST_BYTE, Chunk
from shared.ids import ByteOffset
from tests.integration.ptyhost.terminals import (
    PYTHON,
    WAIT_SECONDS,
    Watched,
    all_output,
    host_pid,
    hosted,
    memory_of,
    spec,
)  # fmt: skip

COUNTING = "import sys\nfor n in range({lines}): sys.stdout.write(f'{{n:07d}}.')\nsys.stdout.flush()\ninput()"


def counted(output: bytes) -> list[int]:
    return [int(number) for number in output.split(b".") if len(number) == 7]


async def test_a_flood_is_followed_whole_from_any_offset_by_any_number_of_readers(
    terminals: HostTerminals, tmp_path: Path
):
    lines = 400_000
    async with Watched.running(terminals, [*PYTHON, COUNTING.format(lines=lines)], tmp_path) as program:

        async def read(offset: int) -> bytes:
            found = bytearray()
            async for chunk in terminals.follow(program.session_id, ByteOffset(offset)):
                assert isinstance(chunk, Chunk)
                assert chunk.start == offset + len(found)
                found += chunk.data
                if offset + len(found) >= lines * 8:
                    break
            return bytes(found)

        readers = [asyncio.create_task(read(offset)) for offset in (0, 8, 800_000)]
        whole, second, late = await asyncio.wait_for(asyncio.gather(*readers), WAIT_SECONDS)
        assert counted(whole) == list(range(lines))
        assert whole[8:] == second
        assert whole[800_000:] == late
        assert await all_output(terminals, program.session_id) == whole


async def test_a_flood_that_is_followed_is_taken_in_small_pieces_each_worked_on_before_the_next(tmp_path: Path):
    flood = [*PYTHON, "import os\nfor _ in range(64): os.write(1, b'x' * 65_535 + b'.')"]
    terminal = PtyTerminal.start(spec(flood, tmp_path), {}, None, 0, Turns())
    sizes: list[int] = []
    async with asyncio.timeout(WAIT_SECONDS):
        async for chunk in terminal.record.follow(FIRST_BYTE, 0):
            assert isinstance(chunk, Chunk)
            sizes.append(len(chunk.data))
    assert sum(sizes) == 64 * 65_536
    assert max(sizes) < TURN_BYTES / 2, "one that is not followed takes in its whole share at once"


async def test_a_slow_reader_makes_nobody_s_memory_grow_and_misses_nothing(terminals: HostTerminals, tmp_path: Path):
    lines = 2_500_000
    async with Watched.running(terminals, [*PYTHON, COUNTING.format(lines=lines)], tmp_path) as program:
        host = await host_pid(tmp_path / "host")
        slow = terminals.follow(program.session_id, FIRST_BYTE)
        first = await anext(slow)
        assert isinstance(first, Chunk)
        before = memory_of(host)

        await program.until(lambda: program.position >= lines * 8)

        assert memory_of(host) - before < 8 * WINDOW_BYTES, "of 20 MB"
        position = first.end
        async with asyncio.timeout(WAIT_SECONDS):
            async for chunk in slow:
                assert isinstance(chunk, Chunk)
                assert chunk.start == position
                position = chunk.end
                if position >= lines * 8:
                    break
        await slow.aclose()


async def test_a_reader_that_leaves_ends_its_stream_in_the_host(terminals: HostTerminals, tmp_path: Path):
    async with Watched.running(terminals, ["yes"], tmp_path) as program:
        for _ in range(20):
            stream = terminals.follow(program.session_id, FIRST_BYTE)
            await anext(stream)
            await stream.aclose()
        await terminals.signal(program.session_id, signal.SIGSTOP)
        assert await terminals.input_mode(program.session_id) == "line"


async def test_what_fell_out_of_the_bound_is_told_as_a_gap_and_the_disk_is_not_filled(tmp_path: Path):
    keep = 262_144
    root = tmp_path / "host"
    async with (
        hosted(root, keep_bytes=keep) as terminals,
        Watched.running(terminals, [*PYTHON, COUNTING.format(lines=200_000)], tmp_path) as program,
    ):
        await program.until(lambda: program.position >= 1_600_000)
        chunk = await terminals.read_from(program.session_id, FIRST_BYTE, 100)
        (info,) = await terminals.list()
        assert chunk.start == info.begin > 0
        assert info.end - info.begin >= keep // 2
        kept = await all_output(terminals, program.session_id)
        assert kept == bytes(program.output)[-len(kept) :]
        spooled = root / "v1" / "sessions" / str(program.session_id)
        assert sum(path.stat().st_size for path in spooled.iterdir()) <= keep + 65_536


async def test_an_ended_terminal_can_be_read_until_it_is_forgotten(terminals: HostTerminals, tmp_path: Path):
    async with Watched.running(terminals, ["echo", "hello"], tmp_path) as program:
        await program.ended()
        again = [chunk async for chunk in terminals.follow(program.session_id, FIRST_BYTE)]
        assert again == [Chunk(FIRST_BYTE, b"hello\r\n")]
        spooled = tmp_path / "host" / "v1" / "sessions" / str(program.session_id)
        assert spooled.is_dir()
        await terminals.forget(program.session_id)
        assert not spooled.exists()


async def test_a_session_with_a_fresh_process_goes_on_counting(terminals: HostTerminals, tmp_path: Path):
    async with Watched.running(terminals, ["echo", "first"], tmp_path) as program:
        await program.ended()
        await terminals.forget(program.session_id)
        fresh = replace(
            spec(["echo", "second"], tmp_path), session_id=program.session_id, first_offset=program.position
        )

        await terminals.create(fresh)

        found = [chunk async for chunk in terminals.follow(program.session_id, FIRST_BYTE)]
        assert found == [Chunk(ByteOffset(7), b"second\r\n")]
