"""The reader of a marked bash, on bytes as bash 5.2 puts them out, cut in every way."""

import pytest

from remote_client.agents.shell_stream import Line, ShellStream, Sign

NONCE = "abc"


def mark(letter: str, *fields: object) -> bytes:
    return b"\x1b]133;" + ";".join([letter, NONCE, *map(str, fields)]).encode() + b"\x07"


PROMPT = mark("D", 7, 0, "himBs") + b"\x1b[?2004h" + mark("A") + b"# " + mark("B", 7, 0)
RUNS = b"\x1b[?2004l\r" + mark("C", 7, "himBs")


def lines_of(data: bytes, chunk_size: int) -> list[bytes]:
    return [found.text for found in read(data, chunk_size) if isinstance(found, Line)]


def read(data: bytes, chunk_size: int) -> list[Sign | Line]:
    stream = ShellStream(NONCE)
    return [
        found for start in range(0, len(data), chunk_size) for found in stream.feed(data[start : start + chunk_size])
    ]


CHUNK_SIZES = [1, 2, 7, 4096]


@pytest.mark.parametrize("chunk_size", CHUNK_SIZES)
@pytest.mark.parametrize(
    ("output", "said"),
    [
        (b"[SEMO:DONE]\r\n", True),
        (b"  [SEMO:DONE] \r\n", True),
        (b"[SEMO:DONE]", True),
        (b"\x1b[32m[SEMO:\x1b[1mDONE]\x1b[0m\r\n", True),
        (b"\xc3\xa9\xff\x00\r\n[SEMO:DONE]\r\n", True),
        (b"half a line\x1bc[SEMO:DONE]\r\n", True),
        (b"half a line\x1b[H\x1b[2J\x1b[3J[SEMO:DONE]\r\n", True),
        (b"x[SEMO:DONE]\r\n", False),
        (b"[SEMO:DONE]x\r\n", False),
        (b"[SEMO:\r\nDONE]\r\n", False),
        (b"[SEMO: DONE]\r\n", False),
        (b"\x1b[?1049h[SEMO:DONE]\r\n\x1b[?1049l", False),
        (b"\x1b]0;[SEMO:DONE]\x07\r\n", False),
    ],
)
def test_the_marker_counts_when_it_stands_alone_on_a_line_of_output(output: bytes, said: bool, chunk_size: int) -> None:
    data = PROMPT + b"echo something\r\n" + RUNS + output + PROMPT

    assert lines_of(data, chunk_size) == ([b"[SEMO:DONE]"] if said else [])


@pytest.mark.parametrize("chunk_size", CHUNK_SIZES)
def test_the_echo_of_a_prompt_is_never_output(chunk_size: int) -> None:
    echo = b"\x1b[7mcat <<EOF\x1b[27m\r\n\r[SEMO:DONE]\r\n\rEOF\x1b[A\x1b[A\r" + mark("A") + b"# " + mark("B", 7, 0)
    data = PROMPT + echo + b"cat <<EOF\r\n[SEMO:DONE]\r\nEOF\r\n" + RUNS + b"other\r\n" + PROMPT

    assert lines_of(data, chunk_size) == []


@pytest.mark.parametrize("chunk_size", CHUNK_SIZES)
def test_a_marker_that_begins_in_the_echo_is_not_output(chunk_size: int) -> None:
    assert lines_of(PROMPT + b"[SEMO:" + RUNS + b"DONE]\r\n" + PROMPT, chunk_size) == []


@pytest.mark.parametrize("chunk_size", CHUNK_SIZES)
def test_signs_are_found_once_with_their_offsets_whatever_the_chunks(chunk_size: int) -> None:
    data = PROMPT + b"false\r\n" + RUNS + mark("D", 7, 1, "himBs") + mark("A") + b"# " + mark("B", 7, 1)

    signs = [(found.kind, found.offset, found.status) for found in read(data, chunk_size) if isinstance(found, Sign)]

    runs_end = data.index(RUNS) + len(RUNS)
    assert [kind for kind, _, _ in signs] == ["ended", "prompt", "runs", "ended", "prompt"]
    assert signs[2][1] == runs_end
    assert signs[-1][1:] == (len(data), 1)


def test_marks_of_another_shell_mean_nothing() -> None:
    assert read(b"\x1b]133;D;other;7;0;x\x07\x1b]133;B;other;7;0\x07", 4096) == []


def test_an_escape_that_never_ends_does_not_swallow_what_follows() -> None:
    data = PROMPT + RUNS + b"\x1b]0;" + b"x" * 20_000 + b"\r\n[SEMO:DONE]\r\n" + PROMPT

    assert lines_of(data, 1000) == [b"[SEMO:DONE]"]


def test_a_verbose_shell_makes_its_output_uncertain() -> None:
    data = PROMPT + b"x\r\n" + mark("C", 7, "himvBs") + b"[SEMO:DONE]\r\n" + PROMPT

    assert [found.certain for found in read(data, 4096) if isinstance(found, Line)] == [False]
