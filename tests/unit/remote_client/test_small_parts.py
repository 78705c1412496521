"""The ring, the cutter of characters, the keys, the leases' clock, and what is typed of a prompt."""

from uuid import uuid4

import pytest

from remote_client.agents.pasting import pasteable
from remote_client.commands import Command, Hold, lease_clock
from remote_client.keys import key_bytes
from remote_client.ptyhost.pty_terminal import PIECE_BYTES
from remote_client.ptyhost.record import RING_BYTES
from remote_client.ptyhost.ring import PAGES, OutputRing
from remote_client.utf8 import complete_length
from shared.errors import Fenced
from shared.ids import Attempt, ByteOffset, CommandId, Epoch, OfficeId
from shared.states import CommandType


@pytest.mark.parametrize("piece", [1, 3, 10])
def test_a_ring_gives_back_any_part_of_what_it_keeps(piece: int) -> None:
    ring = OutputRing(keep_bytes=20)
    data = bytes(range(100))
    for start in range(0, len(data), piece):
        ring.append(data[start : start + piece])

    assert ring.end == 100
    assert ring.end - ring.start >= 20
    for offset in range(ring.start, 101):
        for limit in (1, 5, 100):
            chunk = ring.read(ByteOffset(offset), limit)
            assert (chunk.start, chunk.data) == (offset, data[offset : offset + limit])


def test_a_ring_of_many_small_reads_keeps_few_things() -> None:
    ring = OutputRing(keep_bytes=64_000)
    for _ in range(20_000):
        ring.append(b"a short line\r\n")

    assert ring.end - ring.start < 64_000 + 1_000
    assert ring.pages < PAGES + 5


def test_a_whole_read_of_a_terminal_is_kept_and_given_out_without_a_copy() -> None:
    ring, data = OutputRing(RING_BYTES), bytes(PIECE_BYTES)
    ring.append(b"before")
    ring.append(data)

    assert ring.read(ByteOffset(6), 65_536).data is data


def test_a_reader_that_fell_behind_is_told_where_the_ring_begins() -> None:
    ring = OutputRing(keep_bytes=4)
    ring.append(b"abcd")
    ring.append(b"efgh")

    assert ring.read(ByteOffset(0), 100).start == 4


@pytest.mark.parametrize("text", ["é", "€", "😀", "a😀"])
def test_no_character_is_cut(text: str) -> None:
    data = text.encode()
    for size in range(len(data) + 1):
        data[: complete_length(data[:size])].decode()


def test_bytes_that_are_no_characters_do_not_hold_the_rest_back() -> None:
    assert complete_length(b"\xff") == 1
    assert complete_length(b"a\x80\x80\x80\x80\x80") == 6


@pytest.mark.parametrize(
    ("name", "data"), [("ctrl-c", b"\x03"), ("alt-x", b"\x1bx"), ("enter", b"\r"), ("f12", b"\x1b[24~"), ("-", b"-")]
)
def test_keys_are_what_a_terminal_sends(name: str, data: bytes) -> None:
    assert key_bytes(name) == data


def test_an_unknown_key_is_not_typed() -> None:
    with pytest.raises(KeyError):
        key_bytes("hyper-q")


def test_a_prompt_cannot_end_its_own_paste() -> None:
    assert "\x1b[201~" not in pasteable("a\x1b[201~b\x1b[2\x1b[201~01~c")


def test_a_prompt_cannot_send_signals_through_the_terminal() -> None:
    assert pasteable("a\x03b\x1ac\x11\td\r\ne\rf") == "abc\td\ne\nf"


def test_nothing_is_done_once_the_lease_may_have_run_out() -> None:
    command = Command(CommandId(uuid4()), Attempt(1), OfficeId(uuid4()), None, CommandType.SEND_PROMPT, {})
    hold = Hold(command, Epoch(1), 0)
    hold.renew(lease_clock(), 30)
    hold.check()

    hold.renew(lease_clock() - 29, 30)
    with pytest.raises(Fenced):
        hold.check()
