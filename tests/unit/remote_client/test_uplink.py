"""The uplink: whole characters with exact offsets, bounded memory, one batch in flight, resends that change nothing."""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import pytest

from remote_client.office_link import Calls, OfficeLink
from remote_client.terminals import Chunk
from remote_client.uplink import Uplink
from shared.errors import BackendDown
from shared.ids import ByteOffset, ClientId, OfficeId, SessionId

OFFICE = OfficeId(uuid4())
SESSION = SessionId(uuid4())


class Desk(Calls):
    """Takes calls as the office would; may be away for the first few."""

    def __init__(self, away: int = 0) -> None:
        self.away = away
        self.calls: list[tuple[str, Any]] = []

    async def __call__(self, function: str, arguments: dict[str, Any]) -> Any:
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
