"""The minimal screen: what stands where, after the moves that full-screen programs make."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remote_client.monitor.screen import Screen


def drawn(*parts: str, rows: int = 10) -> list[str]:
    screen = Screen(rows)
    screen.feed("".join(parts).encode())
    return screen.lines()


@pytest.mark.parametrize(
    ("written", "lines"),
    [
        ("one\r\ntwo", ["one", "two"]),
        ("spaces\x1b[10Gare\x1b[15Gmoves", ["spaces   are  moves"]),
        ("old text\r\x1b[2Cd", ["oldtext".replace("dt", "d t")]),
        ("reused: MO:DONE]\r\x1b[8C[SE", ["reused: [SEDONE]"]),
        ("a line\x1b[3D\x1b[K", ["a l"]),
        ("one\r\ntwo\x1b[H\x1b[2J", ["", ""]),
        ("\x1b[3;4Hx", ["", "", "   x"]),
        ("日本[SEMO:DONE]", ["日本[SEMO:DONE]"]),
        ("ab\x1b[1Gx\x1b[2Cy", ["xb y"]),
        ("12345\x1b[2G\x1b[2P", ["145"]),
        ("12345\x1b[2G\x1b[2@", ["1  2345"]),
        ("12345\x1b[2G\x1b[2X", ["1  45"]),
        ("\x1b]0;a title\x07text\x1b]8;;http://x\x1b\\link", ["textlink"]),
        ("x\x1b[4b", ["xxxxx"]),
    ],
)
def test_text_stands_where_it_was_put(written: str, lines: list[str]) -> None:
    assert drawn(written) == lines


def test_what_scrolls_off_is_kept() -> None:
    screen = Screen(3)
    screen.feed(b"1\r\n2\r\n3\r\n4\r\n5")
    assert screen.lines() == ["1", "2", "3", "4", "5"]
    assert screen.visible_lines() == ["3", "4", "5"]


def test_home_is_the_top_of_what_is_on_view() -> None:
    assert drawn("1\r\n2\r\n3\r\n4\x1b[Hx", rows=2) == ["1", "2", "x", "4"]


def test_a_full_screen_program_leaves_the_lines_before_it_alone() -> None:
    assert drawn("before\x1b[?1049h\x1b[2J\x1b[Hwithin\x1b[?1049l") == ["before"]


def test_a_program_that_erases_row_by_row_tells_how_high_the_screen_is_now() -> None:
    rows = "\r\n".join(str(number) for number in range(10))
    wiped = drawn(rows, "\x1b[H", "\x1b[2K\x1b[1B" * 3, "\x1b[2K\x1b[H", "new")
    assert wiped == ["0", "1", "2", "3", "4", "5", "new", "", "", ""]


OUTPUT = st.lists(
    st.one_of(
        st.sampled_from(
            ["\x1b[H", "\x1b[2K\x1b[1B" * 4, "\x1b[2J", "\x1b[3A", "\x1b[5;9H", "\r\n", "\x1b[?1049h", "語"]
        ),
        st.sampled_from(["\x1b[2;4r", "\x1b[2S", "\x1b[L", "\x1b[M", "\x1b[38;5;9m", "\x1b[K", "\x1b]0;t\x07"]),
        st.text(alphabet="ab ", max_size=5),
    ),
    max_size=40,
).map(lambda parts: "".join(parts).encode())


@given(OUTPUT)
def test_byte_by_byte_draws_the_same(data: bytes) -> None:
    whole, bits = Screen(6), Screen(6)
    whole.feed(data + b"#")
    for place in range(len(data)):
        bits.feed(data[place : place + 1])
    bits.feed(b"#")
    assert bits.lines() == whole.lines()


@given(st.binary(max_size=2000))
def test_random_bytes_never_break_it(data: bytes) -> None:
    screen = Screen(5)
    screen.feed(data)
    assert len(screen.visible_lines()) <= len(screen.lines())
