"""A disk that takes no more: the terminal goes on, what could not be kept is a gap, and keeping begins again."""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from remote_client.terminals import FIRST_BYTE
from shared.ids import ByteOffset
from tests.integration.ptyhost.terminals import WAIT_SECONDS, Watched, all_output, hosted

DISK_BYTES = 1_048_576


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mounting, capture_output=True, check=False).returncode != 0:
        pytest.skip("only root can mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


async def test_disk_full_the_terminal_goes_on_and_is_kept_again_when_there_is_room(small_disk: Path, tmp_path: Path):
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * (DISK_BYTES // 2))
    script = "read a; yes first | head -c 2000000; echo; echo over,; cat"
    async with (
        hosted(small_disk / "host") as terminals,
        Watched.running(terminals, ["bash", "-c", script], tmp_path) as program,
    ):
        await program.type("\n")
        await program.until_shown("over,")
        assert program.position > 2_000_000, "the terminal went on"

        # The beginning was kept, the end is in memory, and what lies between is told as a gap.
        first = await terminals.read_from(program.session_id, FIRST_BYTE, 65_536)
        assert first.start == 0
        offset, gaps = FIRST_BYTE, list[tuple[int, int]]()
        while (chunk := await terminals.read_from(program.session_id, offset, 65_536)).data:
            if chunk.start != offset:
                gaps.append((offset, chunk.start))
            assert program.gaps or chunk.data == bytes(program.output[chunk.start : chunk.end])
            offset = chunk.end
        assert len(gaps) == 1, gaps
        assert offset == program.position

        ballast.unlink()
        kept = small_disk / "host" / "v1" / "sessions" / str(program.session_id)
        newest, tries = max(kept.glob("*.out")), 0
        async with asyncio.timeout(WAIT_SECONDS):
            while max(kept.glob("*.out")) == newest:
                tries += 1
                await program.type(f"again {tries}\n")
                await program.until_shown(f"again {tries}\r\nagain {tries}\r\n")
        assert (await all_output(terminals, program.session_id)).endswith(bytes(program.output[-20:]))


async def test_disk_full_a_terminal_can_still_be_begun(small_disk: Path, tmp_path: Path):
    async with hosted(small_disk / "host") as terminals:
        async with Watched.running(terminals, ["true"], tmp_path) as program:
            await program.ended()
        with (small_disk / "ballast").open("wb", buffering=0) as ballast:
            try:
                while True:
                    ballast.write(b"x" * 4096)
            except OSError:
                pass
        async with Watched.running(terminals, ["echo", "all the same"], tmp_path) as program:
            await program.ended()
            assert program.output == b"all the same\r\n"
            assert (await terminals.read_from(program.session_id, ByteOffset(0), 100)).data == b"all the same\r\n"
