"""Recordings of the real Claude Code, two versions of it: each turn's end is known, whatever the chunking."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from remote_client.monitor.findings import Finding, FindingKind
from remote_client.monitor.patterns import built_in_patterns
from remote_client.monitor.recording import Event, Recording, read_recording
from remote_client.monitor.replay import guess_agent, replay
from shared.patterns import OfficePattern

RECORDINGS = Path(__file__).parents[3] / "fixtures" / "recordings"
THEIRS: dict[str, Any] = json.loads((RECORDINGS / "truth.json").read_text())
OURS: dict[str, Any] = json.loads((RECORDINGS / "ours" / "truth.json").read_text())
PIECES = [None, 1, 7, 4096, 0]  # as recorded, and cut anew; 0: all output between two keys in one piece


def recording(path: str, piece: int | None = None) -> Recording:
    read = read_recording((RECORDINGS / f"{path}.cast").read_text())
    return read if piece is None else read.output_in_pieces_of(piece)


def findings(played: Recording) -> list[Finding]:
    return list(replay(played, "claude"))


def ends(found: list[Finding]) -> list[tuple[str, bool]]:
    return [
        (str(one.outcome).replace("waiting_input", "lost"), bool(one.marker))
        for one in found
        if one.kind is FindingKind.TURN_ENDED
    ]


def count(found: list[Finding], kind: FindingKind) -> int:
    return sum(one.kind is kind for one in found)


@pytest.mark.parametrize("piece", PIECES)
@pytest.mark.parametrize("name", THEIRS)
def test_every_turn_of_a_recording_ends_as_it_did(name: str, piece: int | None) -> None:
    turns = THEIRS[name]["turns"]

    found = findings(recording(name, piece))

    assert ends(found) == [(turn["outcome"], turn["marker"]) for turn in turns]
    starts = [one.seen_at for one in found if one.kind is FindingKind.TURN_STARTED]
    assert starts == pytest.approx([turn["submitted_at"] for turn in turns], abs=0.01)
    asked = [one.seen_at for one in found if one.kind is FindingKind.NEEDS_PERMISSION]
    answers = [turn["permission_answered_at"] for turn in turns if turn["needs_permission"]]
    assert len(asked) == len(answers)
    assert all(at < answer for at, answer in zip(asked, answers, strict=True))


@pytest.mark.parametrize("piece", [None, 7, 0])
@pytest.mark.parametrize("name", OURS)
def test_every_turn_of_our_own_recordings_ends_as_it_did(name: str, piece: int | None) -> None:
    truth = OURS[name]

    found = findings(recording(f"ours/{name}", piece))

    assert ends(found) == [tuple(turn) for turn in truth["turns"]]
    assert count(found, FindingKind.NEEDS_PERMISSION) == truth["needs_permission"]
    for kind, key in ((FindingKind.COMMIT, "commits"), (FindingKind.PULL_REQUEST, "pull_requests")):
        assert [one.detail["value"] for one in found if one.kind is kind] == truth.get(key, [])


def test_old_text_painted_again_is_nothing_new() -> None:
    for name in ("resume_2_repaint", "ours/resume_197", "ours/resume_329"):
        found = findings(recording(name))
        assert {one.kind for one in found} <= {FindingKind.TITLE, FindingKind.BELL}


def test_background_work_pauses_a_turn_and_does_not_end_it() -> None:
    kinds = [one.kind for one in findings(recording("ours/bg_329"))]
    paused, goes_on, ended = (
        kinds.index(kind) for kind in (FindingKind.PAUSED, FindingKind.GOES_ON, FindingKind.TURN_ENDED)
    )
    assert paused < goes_on < ended


@pytest.mark.parametrize("name", sorted(THEIRS))
def test_an_outcome_never_comes_without_evidence(name: str) -> None:
    for one in findings(recording(name)):
        if one.kind is FindingKind.TURN_ENDED:
            assert {"title", "screen"} <= {piece["kind"] for piece in one.evidence}
            assert not one.marker or any(piece["kind"] == "marker" for piece in one.evidence)


# A newer CLI -------------------------------------------------------------------------------------------------------


def changed(played: Recording, *changes: tuple[str, str]) -> Recording:
    """The same recording of a CLI that prints something else. Whole pieces, so that no text is cut."""
    whole = played.output_in_pieces_of(0)

    def change(event: Event) -> Event:
        data = event.data
        for old, new in changes:
            data = data.replace(old.encode(), new.encode())
        return replace(event, data=data)

    return replace(whole, events=[change(event) if event.kind == "output" else event for event in whole.events])


NAMES = ["normal", "prompt_echo", "ctrl_c_cancel", "tool_bash_permission", "e_error_529", "v329_normal"]


@pytest.mark.parametrize("name", NAMES)
def test_signs_in_the_title_that_nobody_knows_are_learned(name: str) -> None:
    new_signs = (("]0;✳", "]0;▣"), ("]0;⠂", "]0;▚"), ("]0;⠐", "]0;▞"), ("]0;◐", "]0;▚"))

    assert ends(findings(changed(recording(name), *new_signs))) == ends(findings(recording(name)))


@pytest.mark.parametrize("name", NAMES)
def test_a_cli_that_speaks_with_other_signs_is_unknown_but_never_done(name: str) -> None:
    new_looks = (("●", "◆"), ("⎿", "╰"), ("❯", "▸"))

    outcomes = [outcome for outcome, _ in ends(findings(changed(recording(name), *new_looks)))]

    assert "done" not in outcomes
    assert len(outcomes) == len(ends(findings(recording(name))))


@pytest.mark.parametrize("name", NAMES)
def test_another_marker_of_an_office_is_found_as_well(name: str) -> None:
    table = built_in_patterns().extended([OfficePattern(name="handed_over", kind="marker", literal="[ABCD:HAND]")])
    other = changed(recording(name), ("[SEMO:DONE]", "[ABCD:HAND]"))

    found = list(replay(other, "claude", table))

    said = [one.detail["name"] for one in found if one.kind is FindingKind.MARKER]
    assert said == ["handed_over"] * sum(marker for _, marker in ends(findings(recording(name))))
    assert not any(marker for _, marker in ends(found))


def test_the_agent_is_known_by_its_own_words() -> None:
    assert guess_agent(recording("normal")) == "claude"
    assert guess_agent(recording("v329_normal")) == "claude"
    header = '{"version": 2, "width": 80, "height": 24}\n'
    assert guess_agent(read_recording(header + '[0.1, "o", "Aider v0.86.1\\r\\n"]\n')) == "aider"
