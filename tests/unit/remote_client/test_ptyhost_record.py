"""What is kept of a terminal on disk: by offset, bounded, with times, and readable whatever became of its host."""

import asyncio
import time
from pathlib import Path
from uuid import uuid4

import pytest

from remote_client.ptyhost import events
from remote_client.ptyhost.events import FILE, Events, Start
from remote_client.ptyhost.record import RING_BYTES, Record
from remote_client.ptyhost.spool import FULL_PAUSE_SECONDS, Spool, times_in
from remote_client.terminals import FIRST_BYTE, UNSEEN_EXIT, Chunk, ExitStatus, HookEvent
from shared.errors import SessionFailed
from shared.ids import ByteOffset, SessionId

KEEP = 1_048_576


def at(offset: int) -> ByteOffset:
    return ByteOffset(offset)


def begun(folder: Path | None = None, first: int = 0) -> Record:
    start = Start(4711, 1, at(first), 80, 24, time.time())
    return Record.begin(SessionId(uuid4()), start, folder, KEEP)


def loaded(folder: Path, session_id: SessionId) -> Record:
    return Record.load(session_id, folder, KEEP)


async def everything(record: Record, offset: int = 0, after_hook: int = 0) -> list[Chunk | HookEvent]:
    return [found async for found in record.follow(at(offset), after_hook)]


def test_the_bound_holds_and_what_is_kept_is_the_latest(tmp_path: Path):
    spool = Spool(tmp_path, 65_536)
    for number in range(300):
        spool.append(at(number * 1000), b"x" * 1000, 1.0 + number)
        assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 65_536 + 4096 + 1000
    assert spool.end == 300_000
    first = spool.read(FIRST_BYTE, 10)
    assert first is not None
    assert first.start == spool.begin
    assert spool.begin is not None
    assert 300_000 - 65_536 <= spool.begin <= 300_000 - 30_000


def test_a_spool_of_an_earlier_host_is_read_on_from_its_files(tmp_path: Path):
    spool = Spool(tmp_path, 65_536)
    spool.append(at(100), b"hello ", 1.0)
    spool.append(at(106), b"world", 2.0)
    spool.close()
    assert Spool(tmp_path, 65_536).read(at(102), 100) == Chunk(at(102), b"llo world")
    assert list(times_in(tmp_path)) == [(1.0, 100), (2.0, 106)]


def test_a_disk_that_takes_no_more_is_a_gap_and_is_asked_again_after_a_moment(tmp_path: Path):
    spool = Spool(tmp_path, 65_536)
    spool.append(at(0), b"before", 1.0)
    spool.rest(100.0)
    full = tmp_path / f"{0:020d}.out"
    kept = full.read_bytes()
    full.unlink()
    full.symlink_to("/dev/full")
    spool.append(at(6), b"lost", 2.0)
    spool.append(at(10), b"lost too", 2.1)
    full.unlink()
    full.write_bytes(kept)

    spool.append(at(18), b"after", 2.0 + FULL_PAUSE_SECONDS)

    assert spool.read(at(0), 100) == Chunk(at(0), b"before")
    assert spool.read(at(6), 100) == Chunk(at(18), b"after")


async def test_a_record_is_read_over_the_seam_of_memory_and_disk_without_a_break(tmp_path: Path):
    record = begun(tmp_path)
    data = b"".join(b"%07d." % number for number in range(100_000))
    assert len(data) > 2 * RING_BYTES
    for place in range(0, len(data), 5000):
        record.append(data[place : place + 5000])
    record.end(ExitStatus(0, None))
    chunks = await everything(record)
    assert b"".join(chunk.data for chunk in chunks if isinstance(chunk, Chunk)) == data


async def test_hook_events_stand_between_the_bytes_they_came_between(tmp_path: Path):
    record = begun(tmp_path)
    record.append(b"one ")
    record.hear("First", {}, False, False)
    record.append(b"two")
    record.hear("Second", {"n": 2}, False, True)
    record.end(ExitStatus(0, None))
    expected = [
        Chunk(at(0), b"one "),
        HookEvent(1, at(4), "First", {}),
        Chunk(at(4), b"two"),
        HookEvent(2, at(7), "Second", {"n": 2}, truncated=True),
    ]
    assert await everything(record) == expected
    assert await everything(record, 4, 1) == expected[2:]
    again = loaded(tmp_path, record.session_id)
    assert await everything(again) == expected
    assert again.info() == record.info()


async def test_who_has_read_all_of_it_takes_what_is_there_by_then_before_waiting_for_more():
    record = begun()
    pieces = [b"two ", b"three"]

    def bring() -> bool:
        if pieces:
            record.append(pieces.pop(0))
            return True
        return False

    record.ask_for_more = bring
    record.append(b"one ")
    following = record.follow(FIRST_BYTE, 0)
    assert [await anext(following) for _ in range(3)] == [
        Chunk(at(0), b"one "), Chunk(at(4), b"two "), Chunk(at(8), b"three")
    ]  # fmt: skip
    assert not record.is_awaited
    waiting = asyncio.create_task(anext(following))
    for _ in range(2):  # its first steps: to look, and to wait
        await asyncio.sleep(0)
    assert record.is_awaited
    record.append(b" four")
    assert await waiting == Chunk(at(13), b" four")
    assert not record.is_awaited
    record.end(ExitStatus(0, None))
    assert record.ask_for_more != bring, "what has ended holds nothing that fills it"


async def test_a_record_whose_host_died_says_so_after_all_that_was_kept(tmp_path: Path):
    record = begun(tmp_path, first=50)
    record.append(b"last words")
    record.hear("Stop", {}, False, False)
    with (tmp_path / FILE).open("ab") as file:
        file.write(b'{"kind":"hook","at":1,"bo')  # torn in the middle of a write

    left = loaded(tmp_path, record.session_id)

    following = left.follow(at(50), 0)
    found = [await anext(following), await anext(following)]
    with pytest.raises(SessionFailed):
        await anext(following)
    assert found == [Chunk(at(50), b"last words"), HookEvent(1, at(60), "Stop", {})]
    assert (left.exit, left.info().begin, left.info().end) == (UNSEEN_EXIT, 50, 60)
    assert loaded(tmp_path, record.session_id).exit == UNSEEN_EXIT


def test_hooks_are_bounded_in_memory_and_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(events, "HOOK_BYTES", 10_000)
    monkeypatch.setattr(events, "_FILE_BYTES", 40_000)
    kept = Events(tmp_path, Start(1, 1, FIRST_BYTE, 80, 24, 0.0))
    kept.save()
    for number in range(200):
        kept.add_hook(FIRST_BYTE, "Said", {"text": "x" * 900, "number": number}, False, False)
        assert (tmp_path / FILE).stat().st_size <= 42_000
    assert kept.last_hook == 200
    assert [hook.number for hook in kept.hooks] == list(range(200 - len(kept.hooks) + 1, 201))
    assert len(kept.hooks) in (9, 10)
    assert Events.load(tmp_path).last_hook == 200
