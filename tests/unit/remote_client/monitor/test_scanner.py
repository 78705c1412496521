"""The one pass over the bytes: what escapes, gaps, line ends and cuts do to a pattern, and that nothing breaks it."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remote_client.monitor.anchors import AnchorSearch
from remote_client.monitor.fast_anchors import FastAnchorSearch
from remote_client.monitor.patterns import Pattern, PatternKind, built_in_patterns
from remote_client.monitor.scanner import StreamScanner
from remote_client.monitor.search import MakeSearch
from remote_client.monitor.sightings import Sighting

PATTERNS = built_in_patterns().without(PatternKind.ERROR)
MARKER = "[SEMO:DONE]"
PULL = "https://github.com/acme/web/pull/42"
COMMIT = "[main 1234abc] a subject"
HARMLESS = ["\x1b[1m", "\x1b[38;5;231m", "\x1b[0m", "\x1b[?25l", "\x1b[m", "\x1b7", "\x1b8", "\x1b[0K"]
# What a terminal prints, in any order: words, escapes, line ends, strings.
OUTPUT = st.lists(
    st.one_of(
        st.sampled_from([MARKER, PULL, COMMIT, "\r\n", " ", "\x1b[3G", "\x1b[2;5H", "\x07", "\x1b]0;⠂ title\x07"]),
        st.sampled_from(HARMLESS),
        st.text(alphabet="abc [/]:1é", max_size=12),
    ),
    max_size=30,
).map(lambda parts: "".join(parts).encode())


def scan(data: bytes, cuts: list[int]) -> list[Sighting]:
    """What either search for anchors leads to."""
    found, found_fast = (scan_with(search, data, cuts) for search in (AnchorSearch, FastAnchorSearch))
    assert told(found) == told(found_fast)
    return found


def scan_with(search: MakeSearch, data: bytes, cuts: list[int]) -> list[Sighting]:
    scanner = StreamScanner(PATTERNS, search=search)
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    found = [one for begin, end in pairwise(places) for one in scanner.feed(data[begin:end])]
    return found + scanner.flush()


def told(found: list[Sighting]) -> list[tuple[int, str, str]]:
    return sorted((one.end, one.kind, one.text) for one in found)


def values(data: bytes) -> list[str]:
    return [one.text for one in scan(data, []) if one.kind == "hit"]


@given(OUTPUT, st.lists(st.integers(0, 5000), max_size=20))
def test_any_chunking_gives_the_same_sightings(data: bytes, cuts: list[int]) -> None:
    assert told(scan(data, cuts)) == told(scan(data, []))


@given(OUTPUT)
def test_byte_by_byte_gives_the_same_sightings(data: bytes) -> None:
    assert told(scan(data, list(range(len(data))))) == told(scan(data, []))


@given(st.binary(max_size=3000), st.lists(st.integers(0, 3000), max_size=5))
def test_random_bytes_never_break_it(data: bytes, cuts: list[int]) -> None:
    assert all(0 < one.end <= len(data) for one in scan(data, cuts))


@given(st.sampled_from([MARKER, PULL]), st.data())
def test_escapes_inside_a_word_do_not_hide_it(word: str, data: st.DataObject) -> None:
    painted = "".join(character + data.draw(st.sampled_from(["", *HARMLESS])) for character in word)

    assert values(f"said: {painted} \r\n".encode()) == [word]


def test_a_marker_painted_with_more_escapes_than_a_close_look_takes_in_is_told_beside_one_that_is_plain() -> None:
    painted = "".join(character + "\x1b[38;5;231m" * 8 for character in MARKER)

    assert values(f"{painted}{MARKER} \r\n".encode()) == [MARKER, MARKER]


@pytest.mark.parametrize("length", [10, 300, 1500])
def test_a_marker_in_a_title_is_no_word_of_the_agent(length: int) -> None:
    around = "x" * length

    assert values(f"\x1b]2;{around}{MARKER}{around}\x07 \r\n".encode()) == []


@pytest.mark.parametrize("word", [MARKER, PULL])
@pytest.mark.parametrize("apart", [10, 900, 4000])
def test_each_of_many_in_one_piece_is_told(word: str, apart: int) -> None:
    assert values(f"{word} {'x' * apart} ".encode() * 70) == [word] * 70


@pytest.mark.parametrize("painted", ["80f\x1b[1mbe11\x1b[0m]", "\x1b[33m80fbe11\x1b[0m\x1b[38;5;231m]"])
def test_a_commit_painted_in_colours_is_one(painted: str) -> None:
    assert values(f"[main {painted} a subject\r\n".encode()) == ["80fbe11"]


@pytest.mark.parametrize("gap", ["\r\n  ", "\x1b[3;3H", "\x1b[4G", " "])
def test_a_marker_broken_by_the_edge_of_a_narrow_screen_is_one(gap: str) -> None:
    assert values(f"[SEMO:{gap}DONE]\r\n".encode()) == [MARKER]


def test_a_sighting_tells_where_it_ends() -> None:
    data = b"\x1b[1m" + "é".encode() + b"\r\n [SE\x1b[0mMO:DONE]"

    assert [one.end for one in scan(data + b" and more\r\n", [])] == [len(data)]


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("[main 80fbe11] stub commit\r\n", "80fbe11"),
        ("  [main (root-commit) 80fbe11] first\r\n", "80fbe11"),
        ("[detached HEAD 80fbe11] subject\r\n", "80fbe11"),
        ("[agent/be-x 80fbe1180fbe1180fbe1180fbe1180fbe1180fbe] subject\r\n", "80fbe11" * 5 + "80fbe"),
        ("\x1b[5G\x1b[39m[main\x1b[11G80fbe11]\x1b[20Gstub\x1b[25Gcommit\x1b[K\r\n", "80fbe11"),
    ],
)
def test_a_commit_is_told_by_what_git_prints(line: str, value: str) -> None:
    assert values(line.encode()) == [value]


@pytest.mark.parametrize("line", ["80fbe11 stub commit\r\n", "x = [a, 1234567]\r\n", "see [main 80fbe11]\r\n"])
def test_other_brackets_are_no_commit(line: str) -> None:
    assert values(line.encode()) == []


def test_an_address_is_told_when_it_is_whole() -> None:
    scanner = StreamScanner(PATTERNS)
    assert scanner.feed(b"see https://github.com/acme/web/pull/4") == []
    assert [one.text for one in scanner.feed(b"2 now")] == [PULL]


def test_titles_bells_and_notices_are_told_apart() -> None:
    data = b"\x1b]0;a title\x07 \x07 \x1b]9;look here\x1b\\ \x1b]8;;https://x/pull/1\x07link\x1b]8;;\x07"

    assert [(one.kind, one.text) for one in scan(data, [])] == [
        ("title", "a title"),
        ("bell", ""),
        ("notice", "look here"),
    ]


def test_a_flood_of_bells_is_one_bell() -> None:
    assert len(scan(b"\x07" * 4000, [])) == 1


SAID = {
    "api_error": ["API Error: 500", "API error"],
    "authentication": ["Please run /login", "Invalid API key", "OAuth token revoked", "Not logged in"],
    "rate_limit": ["Rate limit reached", "usage limit reached", "Too many requests", "hit your limit"],
    "overloaded": ["Overloaded", "The API is at capacity"],
    "billing": ["Credit balance is too low", "out of credits", "Insufficient credits"],
    "connection": ["Request timed out", "Connection error", "fetch failed", "stream disconnected"],
    "request_refused": ["Request too large", "Prompt is too long", "There's an issue with the selected model"],
    "pull_request": [PULL, "https://h/a/b/-/merge_requests/7", "https://h/a/pull-requests/7", "https://h/a/pulls/7"],
    "commit": [COMMIT],
    "done": [MARKER],
}


@pytest.mark.parametrize("pattern", built_in_patterns().patterns, ids=lambda pattern: pattern.name)
def test_every_match_of_a_built_in_pattern_has_one_of_its_anchors(pattern: Pattern) -> None:
    """Else the quick search would pass it over. Errors are not searched for in the stream."""
    for text in SAID[pattern.name]:
        assert re.search(pattern.regex, text), text
        visible = "".join(text.split()).encode()
        assert pattern.kind is PatternKind.ERROR or any(anchor in visible for anchor in pattern.anchors), text
