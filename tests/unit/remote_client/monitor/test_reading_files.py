"""Recordings, patterns and keys as they are written: what is accepted, and what is refused with a clear word."""

import json

import pytest
from pydantic import ValidationError

from remote_client.monitor.keys import KeyReader
from remote_client.monitor.office_patterns import patterns_of
from remote_client.monitor.patterns import built_in_patterns
from remote_client.monitor.profile import known_agents, load_profile
from remote_client.monitor.recording import read_recording
from shared.errors import InvalidPayload
from shared.patterns import OfficePattern

HEADER = '{"version": 2, "width": 80, "height": 24}'


def cast(*events: object) -> str:
    return "\n".join([HEADER, *map(json.dumps, events)]) + "\n"


def test_text_and_bytes_written_as_characters_are_both_read() -> None:
    split = "é".encode()
    as_text = read_recording(cast([0.1, "o", "é ✳"]))
    as_bytes = read_recording(cast([0.1, "o", split[:1].decode("latin-1")], [0.2, "o", split[1:].decode("latin-1")]))
    short = read_recording(cast([0.1, "o", "caf\xe9"]))

    assert b"".join(event.data for event in as_text.events) == "é ✳".encode()
    assert b"".join(event.data for event in as_bytes.events) == split
    assert short.events[0].data == "café".encode()


def test_a_last_line_that_is_cut_off_is_left_out_and_told() -> None:
    read = read_recording(cast([0.1, "o", "one"]) + '[0.2, "o", "tw')

    assert [event.data for event in read.events] == [b"one"]
    assert read.cut_off


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no recording"),
        ("hello\n", "no recording"),
        ('{"version": 1, "stdout": []}', "version 1"),
        ('{"version": 2}', "width and height"),
        (HEADER + '\nnonsense\n[0.1, "o", "x"]\n', "line 2"),
        (HEADER + '\n[0.1, "o"]\n[0.1, "o", "x"]\n', "line 2"),
    ],
)
def test_what_is_no_recording_is_refused_with_the_reason(text: str, says: str) -> None:
    with pytest.raises(InvalidPayload, match=says):
        read_recording(text)


def test_events_of_kinds_that_are_not_known_are_passed_over() -> None:
    assert read_recording(cast([0.1, "m", "a marker"], [0.2, "r", "100x30"])).events[0].kind == "resize"


def test_output_cut_anew_keeps_every_byte_in_its_order() -> None:
    read = read_recording(cast([0.1, "o", "abc"], [0.2, "o", "de"], [0.3, "i", "x"], [0.4, "o", "f"]))

    cut = read.output_in_pieces_of(2)

    assert [(event.time, event.data) for event in cut.events] == [
        (0.1, b"ab"), (0.2, b"cd"), (0.2, b"e"), (0.3, b"x"), (0.4, b"f")
    ]  # fmt: skip


@pytest.mark.parametrize(
    "entry",
    [
        {},
        "a word",
        {"name": "x", "kind": "marker"},
        {"name": "x", "kind": "marker", "literal": "[X]", "regex": "x"},
        {"name": "x", "kind": "marker", "regex": "a marker is a literal", "anchors": ["marker"]},
        {"name": "x", "kind": "nonsense", "literal": "[X]"},
        {"name": "x", "kind": "error", "regex": "("},
        {"name": "x", "kind": "error", "regex": "(?=looks ahead)"},
        {"name": "x", "kind": "error", "regex": "(matches nothing)?"},
        {"name": "x", "kind": "commit", "regex": "it has no anchor"},
        {"name": "x", "kind": "commit", "regex": "with spaces", "anchors": ["with spaces"]},
        {"name": "x", "kind": "marker", "literal": "[X]", "surprise": 1},
        {"name": "done", "kind": "marker", "literal": "[ALL:DONE]"},
    ],
)
def test_an_offices_pattern_that_makes_no_sense_is_left_out(entry: object) -> None:
    with pytest.raises(ValidationError):
        OfficePattern.model_validate(entry)

    good = {"name": "good", "kind": "marker", "literal": "[GOOD]"}
    table = patterns_of("acme", [entry, good])

    assert [one.name for one in table.patterns] == [*(one.name for one in built_in_patterns().patterns), "good"]


def test_an_office_replaces_a_pattern_by_its_name() -> None:
    table = patterns_of("acme", [{"name": "overloaded", "kind": "error", "regex": "(?i)no capacity"}])

    [replaced] = [one for one in table.patterns if one.name == "overloaded"]
    assert [hit.value for hit in replaced.hits("sorry: No Capacity left")] == ["No Capacity"]


def test_an_offices_regex_names_what_is_found() -> None:
    regex = r"https://review\.acme/c/(?P<project>\w+)/\+/(?P<value>\d+)"
    table = patterns_of("acme", [{"name": "change", "kind": "pull_request", "regex": regex, "anchors": ["/+/"]}])

    [change] = [one for one in table.patterns if one.name == "change"]
    [hit] = change.hits("é see https://review.acme/c/web/+/4711 now")
    assert (hit.value, hit.detail, hit.start, hit.end) == ("4711", {"project": "web"}, 6, 38)


def test_no_text_makes_an_offices_regex_slow() -> None:
    """A backtracking engine would not return from this in the age of the universe."""
    table = patterns_of("acme", [{"name": "evil", "kind": "error", "regex": "(a|aa)+$"}])

    [evil] = [one for one in table.patterns if one.name == "evil"]
    assert list(evil.hits("a" * 5000 + "b")) == []


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (["hello", "\r"], [("submit", "hello")]),
        (["\x1b[200~two\nlines\x1b[201~", "\r"], [("submit", "two\nlines")]),
        (["\x1b[200~split ", "paste\x1b[201~\r"], [("submit", "split paste")]),
        (["oops\x7f\x7fk\r"], [("submit", "ook")]),
        (["\x1b"], [("escape", "")]),
        (["\x1b[A\x1bOB", "x\x1b\ry\r"], [("submit", "x\ny")]),
        (["draft\x03"], [("ctrl-c", "")]),
        (["a\rb\r"], [("submit", "a"), ("submit", "b")]),
    ],
)
def test_keys_are_read_as_the_agent_reads_them(typed: list[str], meant: list[tuple[str, str]]) -> None:
    reader = KeyReader()

    assert [(key.kind, key.text) for keys in typed for key in reader.read(keys.encode())] == meant


def test_every_profile_can_be_read() -> None:
    assert {"claude", "codex", "gemini", "opencode", "aider", "generic"} <= set(known_agents())
    assert all(load_profile(agent).agent == agent for agent in known_agents())
    assert load_profile("../claude").exit_ends_turn  # a name that is not known reads as any program
