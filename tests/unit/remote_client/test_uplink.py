"""The uplink: whole characters with exact offsets, bounded memory, one batch in flight, resends that change nothing."""

import asyncio
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

import remote_client.uplink
from remote_client.office_link import Calls, OfficeLink
from remote_client.office_records import Happening, OutputChunk
from remote_client.terminals import Chunk
from remote_client.uplink import Uplink
from shared.errors import BackendDown, Fenced, OfficeError
from shared.ids import ByteOffset, ClientId, OfficeId, SessionId

OFFICE = OfficeId(uuid4())
SESSION = SessionId(uuid4())


class Desk(Calls):
    """Takes calls as the office would; may be away for the first few."""

    def __init__(self, away: int = 0) -> None:
        self.away = away
        self.calls: list[tuple[str, Any]] = []
        self.open = asyncio.Event()
        self.open.set()
        self.somebody_came = asyncio.Event()

    async def __call__(self, function: str, arguments: dict[str, Any]) -> Any:
        self.somebody_came.set()
        await self.open.wait()
        await asyncio.sleep(0)
        if self.away:
            self.away -= 1
            raise BackendDown
        self.calls.append((function, arguments))

    def chunks(self) -> list[dict[str, Any]]:
        return [chunk for function, said in self.calls if function == "append_output" for chunk in said["p_chunks"]]

    def events(self) -> list[dict[str, Any]]:
        return [event for function, said in self.calls if function == "record_events" for event in said["p_events"]]


def uplink_to(desk: Desk, memory_bytes: int = 1_000_000, batch_bytes: int = 262_144) -> Uplink:
    return Uplink(OfficeLink(desk, ClientId(uuid4())), 0.01, batch_bytes, memory_bytes)


def say(uplink: Uplink, pieces: Sequence[bytes], start: int = 0) -> None:
    for piece in pieces:
        uplink.output(OFFICE, SESSION, Chunk(ByteOffset(start), piece))
        start += len(piece)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 1000])
async def test_characters_are_whole_and_offsets_count_raw_bytes(size: int) -> None:
    desk = Desk()
    uplink = uplink_to(desk)
    data = "aé€😀\n".encode() * 20

    for start in range(0, len(data), size):
        say(uplink, [data[start : start + size]], start)
        await uplink.flush()

    chunks = desk.chunks()
    assert "".join(chunk["text"] for chunk in chunks) == data.decode()
    assert chunks[0]["start"] == 0
    assert chunks[-1]["end"] == len(data)
    assert all(chunk["end"] - chunk["start"] == len(chunk["text"].encode()) for chunk in chunks)


async def test_nul_and_bytes_that_are_no_characters_are_replaced_and_counted() -> None:
    desk = Desk()
    uplink = uplink_to(desk)

    say(uplink, [b"a\x00b\xffc\xe2\x82"])
    uplink.session_over(SESSION)
    await uplink.flush()

    assert desk.chunks()[-1]["end"] == 7
    assert "".join(chunk["text"] for chunk in desk.chunks()) == "a�b�c�"


async def test_a_batch_is_sent_again_until_the_office_has_it() -> None:
    desk = Desk(away=2)
    uplink = uplink_to(desk)

    say(uplink, [b"hello"])
    await uplink.flush()

    assert [chunk["text"] for chunk in desk.chunks()] == ["hello"]


async def test_what_does_not_fit_into_memory_is_dropped_and_told() -> None:
    desk = Desk()
    uplink = uplink_to(desk, memory_bytes=1000)

    say(uplink, [b"x" * 100] * 50)
    await uplink.flush()

    kept = sum(chunk["end"] - chunk["start"] for chunk in desk.chunks())
    dropped = sum(event["detail"]["to"] - event["detail"]["from"] for event in desk.events())
    assert kept <= 1000
    assert kept + dropped == 5000
    assert {event["kind"] for event in desk.events()} == {"output_gap"}
    assert desk.chunks()[-1]["end"] == 5000


async def test_bytes_that_the_terminal_itself_lost_are_told() -> None:
    desk = Desk()
    uplink = uplink_to(desk)

    say(uplink, [b"abc"])
    await uplink.flush()
    say(uplink, [b"xyz"], start=10)
    await uplink.flush()

    assert [(chunk["start"], chunk["text"]) for chunk in desk.chunks()] == [(0, "abc"), (10, "xyz")]
    assert [event["detail"] for event in desk.events()] == [{"from": 3, "to": 10}]


async def test_a_flush_leaves_alone_what_travels_with_a_result() -> None:
    desk = Desk()
    uplink = uplink_to(desk)
    say(uplink, [b"of the result"])
    uplink.output(OFFICE, SessionId(uuid4()), Chunk(ByteOffset(0), b"of another"))

    async with uplink.rest_of(SESSION) as travelling:
        await uplink.flush()
        say(uplink, [b", and later"], start=13)
        await uplink.flush()
    await uplink.flush()

    assert pieces(travelling) == [(0, "of the result")]
    assert sent(desk) == [(0, "of another"), (13, ", and later")]


async def test_a_result_waits_for_the_batch_that_has_a_part_of_its_output() -> None:
    desk = Desk()
    uplink = uplink_to(desk)
    say(uplink, [b"under way"])
    desk.open.clear()

    async with asyncio.TaskGroup() as group:
        group.create_task(uplink.flush())
        await desk.somebody_came.wait()
        say(uplink, [b", the rest"], start=9)
        result = group.create_task(take_along(uplink))
        await asyncio.sleep(0)
        assert not result.done()
        desk.open.set()
    await uplink.flush()

    assert sent(desk)[0] == (0, "under way")
    assert sorted(sent(desk) + result.result()) == [(0, "under way"), (9, ", the rest")]


async def test_a_terminal_that_never_stops_holds_up_no_result() -> None:
    noisy = SessionId(uuid4())

    class Meanwhile(Desk):
        async def __call__(self, function: str, arguments: dict[str, Any]) -> Any:
            nonlocal said
            await super().__call__(function, arguments)
            if function == "append_output":
                uplink.output(OFFICE, noisy, Chunk(ByteOffset(said), b"y" * 8192))
                said += 8192

    desk, said = Meanwhile(), 8192
    uplink = uplink_to(desk, batch_bytes=4096)
    uplink.output(OFFICE, noisy, Chunk(ByteOffset(0), b"y" * 8192))
    flushing = asyncio.create_task(uplink.flush())
    await desk.somebody_came.wait()
    say(uplink, [b"x" * 20_000])

    async with asyncio.timeout(30):
        travelling = await take_along(uplink)
    flushing.cancel()

    arrived = [chunk["text"] for chunk in desk.chunks() if chunk["session_id"] == str(SESSION)]
    assert "".join(arrived + [text for _, text in travelling]) == "x" * 20_000


async def test_quiet_terminals_are_heard_next_to_one_that_never_stops() -> None:
    desk = Desk()
    uplink = uplink_to(desk, batch_bytes=4096)
    sessions = [SessionId(uuid4()) for _ in range(20)]
    uplink.output(OFFICE, SESSION, Chunk(ByteOffset(0), b"y" * 20_000))
    for session_id in sessions:
        uplink.output(OFFICE, session_id, Chunk(ByteOffset(0), b"quiet"))

    await uplink.flush()

    first_batch = next(said["p_chunks"] for function, said in desk.calls if function == "append_output")
    assert {str(one) for one in sessions} <= {chunk["session_id"] for chunk in first_batch}


async def test_all_events_are_told_however_many_there_are() -> None:
    desk = Desk()
    uplink = uplink_to(desk)
    for number in range(250):
        uplink.event(Happening(OFFICE, "commit", {"number": number}, datetime.now(UTC)))

    await uplink.flush()

    assert [event["detail"]["number"] for event in desk.events()] == list(range(250))


async def test_output_whose_result_was_refused_is_sent_by_itself() -> None:
    desk = Desk()
    uplink = uplink_to(desk)
    say(uplink, [b"abc"])

    await take_along(uplink, Fenced())
    await uplink.flush()

    assert sent(desk) == [(0, "abc")]


@pytest.mark.parametrize("batch_bytes", [4096, 262_144])
async def test_output_that_may_have_arrived_is_sent_again_in_the_same_pieces(batch_bytes: int) -> None:
    """The office passes over what begins alike, so a longer piece would lose its end."""
    desk = Desk()
    uplink = uplink_to(desk, batch_bytes=batch_bytes)
    say(uplink, [b"abc"])

    await take_along(uplink, BackendDown())
    say(uplink, [b"def"], start=3)
    again = await take_along(uplink, BackendDown())
    say(uplink, [b"x" * 5000], start=6)
    await uplink.flush()

    assert again == [(0, "abc"), (3, "def")]
    assert sent(desk)[:2] == [(0, "abc"), (3, "def")]
    assert "".join(text for _, text in sent(desk)) == "abcdef" + "x" * 5000


async def test_output_that_may_have_arrived_is_dropped_whole_when_memory_is_short() -> None:
    desk = Desk()
    uplink = uplink_to(desk, memory_bytes=1000)
    say(uplink, [b"x" * 900])
    await take_along(uplink, BackendDown())

    say(uplink, [b"y" * 200], start=900)
    await uplink.flush()

    assert sent(desk) == [(900, "y" * 200)]
    assert [event["detail"] for event in desk.events()] == [{"from": 0, "to": 900}]


async def take_along(uplink: Uplink, trouble: OfficeError | None = None) -> list[tuple[int, str]]:
    """What goes out with a result, which the office takes unless there is trouble."""
    chunks: list[OutputChunk] = []
    with suppress(type(trouble)) if trouble is not None else nullcontext():
        async with uplink.rest_of(SESSION) as chunks:
            await asyncio.sleep(0)
            if trouble is not None:
                raise trouble
    return pieces(chunks)


def pieces(chunks: Sequence[OutputChunk]) -> list[tuple[int, str]]:
    return [(chunk.start, chunk.text) for chunk in chunks]


def sent(desk: Desk) -> list[tuple[int, str]]:
    return [(chunk["start"], chunk["text"]) for chunk in desk.chunks()]


async def test_a_large_output_goes_in_batches_of_bounded_size() -> None:
    desk = Desk()
    uplink = uplink_to(desk, batch_bytes=4096)

    say(uplink, [b"y" * 20_000])
    await uplink.flush()

    sizes = [
        sum(chunk["end"] - chunk["start"] for chunk in said["p_chunks"])
        for function, said in desk.calls
        if function == "append_output"
    ]
    assert sum(sizes) == 20_000
    assert max(sizes) <= 4096


async def test_what_a_terminal_puts_out_into_which_somebody_types_is_sent_as_it_comes() -> None:
    class Telling(Desk):
        arrived: asyncio.Queue[tuple[list[str], list[str]]] = asyncio.Queue()

        async def __call__(self, function: str, arguments: dict[str, Any]) -> Any:
            await super().__call__(function, arguments)
            if function == "append_output":
                self.arrived.put_nowait(([one["text"] for one in arguments["p_chunks"]], arguments["p_awaited"]))

    desk = Telling()
    uplink = Uplink(OfficeLink(desk, ClientId(uuid4())), 3600, 262_144, 1_000_000)  # gathers for an hour
    running = asyncio.create_task(uplink.run())
    uplink.output(OFFICE, SessionId(uuid4()), Chunk(ByteOffset(0), b"of another"))
    uplink.hurry(SESSION)
    say(uplink, [b"l"])
    async with asyncio.timeout(30):
        assert await desk.arrived.get() == (["l"], [str(SESSION)])
        assert await desk.arrived.get() == (["of another"], [])
        say(uplink, [b"s"], start=1)
        assert await desk.arrived.get() == (["s"], [str(SESSION)])
    running.cancel()


async def test_what_never_stops_is_sent_in_larger_pieces_also_where_somebody_types(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(remote_client.uplink, "SHOWN_EVERY_SECONDS", 3600)
    desk = Desk()
    uplink = Uplink(OfficeLink(desk, ClientId(uuid4())), 3600, 4096, 1_000_000)
    running = asyncio.create_task(uplink.run())
    uplink.hurry(SESSION)
    at = 0

    async def comes(data: bytes) -> int:
        """How many bytes are with the office afterwards."""
        nonlocal at
        say(uplink, [data], at)
        at += len(data)
        for _ in range(20):
            await asyncio.sleep(0)
        return sum(len(text) for _, text in sent(desk))

    assert await comes(b"at once") == 7
    assert await comes(b"and") == 7
    assert await comes(b" on") == 7
    running.cancel()


async def echoed(uplink: Uplink) -> list[tuple[int, str]]:
    """What goes out with the result of what was typed."""
    async with uplink.echo_in(SESSION) as chunks:
        return pieces(chunks)


async def test_the_result_of_what_was_typed_takes_its_echo_along() -> None:
    desk = Desk()
    uplink = uplink_to(desk)
    uplink.hurry(SESSION)
    going = asyncio.create_task(echoed(uplink))
    await asyncio.sleep(0)
    say(uplink, [b"l"])
    await uplink.flush()
    assert await going == [(0, "l")]
    await uplink.flush()
    assert sent(desk) == []
    say(uplink, [b"s"], start=1)
    assert await echoed(uplink) == [(1, "s")]


async def test_the_result_of_what_is_not_echoed_goes_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_client.uplink, "ECHO_SECONDS", 0)
    assert await echoed(uplink_to(Desk())) == []


async def test_keys_leave_the_output_to_the_result_of_the_prompt_into_which_they_were_typed() -> None:
    desk = Desk()
    uplink = uplink_to(desk)
    say(uplink, [b"done"])
    async with uplink.rest_of(SESSION) as of_the_prompt:
        assert await echoed(uplink) == []
        await uplink.flush()
        assert pieces(of_the_prompt) == [(0, "done")]
    await uplink.flush()
    assert sent(desk) == []
