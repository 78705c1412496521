"""What is read of Claude Code's own record of a conversation."""

import json
from pathlib import Path
from typing import Any

import pytest

from remote_client.agents import claude_transcript
from remote_client.agents.claude_transcript import Transcript

INTERRUPTED = {"kind": "transcript", "says": "interrupted"}


def prompt(text: str) -> dict[str, Any]:
    return {"type": "user", "message": {"role": "user", "content": text}}


def interruption(why: str = "") -> dict[str, Any]:
    return {"type": "user", "message": {"content": [{"type": "text", "text": f"[Request interrupted by user{why}]"}]}}


def answer(message_id: str, tokens: int, **more: Any) -> dict[str, Any]:
    usage = {"input_tokens": tokens, "output_tokens": 1}
    return {"type": "assistant", "message": {"id": message_id, "usage": usage}, **more}


def write(path: Path, *entries: dict[str, Any]) -> None:
    with path.open("a") as file:
        file.writelines(f"{json.dumps(entry, separators=(',', ':'))}\n" for entry in entries)


@pytest.mark.parametrize("why", ["", " for tool use"])
async def test_an_interruption_by_a_person_is_found(tmp_path: Path, why: str) -> None:
    transcript = Transcript("a-conversation", tmp_path / "t.jsonl")
    assert await transcript.news() == []
    write(transcript.path, prompt("go"), interruption(why))
    assert await transcript.news() == [INTERRUPTED]
    assert await transcript.news() == []


async def test_a_prompt_that_quotes_an_interruption_is_none(tmp_path: Path) -> None:
    transcript = Transcript("a-conversation", tmp_path / "t.jsonl")
    write(transcript.path, prompt("[Request interrupted by user]"))
    assert await transcript.news() == []


async def test_what_stood_there_before_the_turn_is_not_of_it(tmp_path: Path) -> None:
    transcript = Transcript("a-conversation", tmp_path / "t.jsonl")
    write(transcript.path, prompt("go"), answer("a", 5), interruption())
    transcript.begin_turn()
    write(transcript.path, answer("b", 7))
    assert await transcript.news() == []
    assert transcript.usage["input_tokens"] == 7


async def test_what_comes_late_of_an_earlier_turn_is_not_of_this_one(tmp_path: Path) -> None:
    transcript = Transcript("a-conversation", tmp_path / "t.jsonl")
    transcript.begin_turn()
    write(transcript.path, interruption() | {"timestamp": "2020-01-01T00:00:00.000Z"})
    assert await transcript.news() == []
    write(transcript.path, interruption() | {"timestamp": "2999-01-01T00:00:00.000Z"})
    assert await transcript.news() == [INTERRUPTED]


async def test_a_turn_found_running_begins_with_the_last_prompt(tmp_path: Path) -> None:
    transcript = Transcript("a-conversation", tmp_path / "t.jsonl", in_turn=True)
    write(transcript.path, prompt("one"), interruption(), prompt("two"), answer("b", 7))
    assert await transcript.news() == []
    assert transcript.usage["input_tokens"] == 7
    write(transcript.path, interruption())
    assert await transcript.news() == [INTERRUPTED]


async def test_a_message_in_several_pieces_is_counted_once(tmp_path: Path) -> None:
    transcript = Transcript("a-conversation", tmp_path / "t.jsonl")
    write(transcript.path, answer("a", 5), answer("a", 5), answer("b", 7))
    await transcript.news()
    assert transcript.usage == {
        "input_tokens": 12, "output_tokens": 2, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0
    }  # fmt: skip


async def test_an_error_of_the_api_is_told_with_its_status(tmp_path: Path) -> None:
    transcript = Transcript("a-conversation", tmp_path / "t.jsonl")
    entry = answer("a", 0, isApiErrorMessage=True, apiErrorStatus=529, error="server_error")
    entry["message"]["content"] = [{"type": "text", "text": "API Error: 529"}]
    write(transcript.path, entry)
    [told] = await transcript.news()
    assert told == {
        "kind": "transcript", "says": "error", "error": "server_error", "status": 529, "message": "API Error: 529"
    }  # fmt: skip


async def test_a_line_that_is_not_whole_yet_waits(tmp_path: Path) -> None:
    transcript = Transcript("a-conversation", tmp_path / "t.jsonl")
    line = json.dumps(interruption())
    transcript.path.write_text(line[:40])
    assert await transcript.news() == []
    transcript.path.write_text(line + "\n")
    assert await transcript.news() == [INTERRUPTED]


async def test_only_a_bounded_tail_is_read_and_that_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claude_transcript, "TAIL_BYTES", 400)
    transcript = Transcript("a-conversation", tmp_path / "t.jsonl")
    write(transcript.path, *(answer(str(number), 1) for number in range(100)), interruption())
    assert await transcript.news() == [INTERRUPTED]
    assert transcript.partial
    assert 0 < transcript.usage["input_tokens"] < 10


async def test_what_another_version_writes_otherwise_is_passed_over(tmp_path: Path) -> None:
    transcript = Transcript("a-conversation", tmp_path / "t.jsonl")
    write(transcript.path, {"type": "assistant", "usage": 1}, {"usage": []}, interruption())
    transcript.path.open("a").write('{"usage" broken\n[1, "usage"]\n')
    assert await transcript.news() == [INTERRUPTED]
    assert transcript.partial


async def test_a_conversation_can_be_found_by_its_name_in_the_evidence(tmp_path: Path) -> None:
    transcript = Transcript("a-conversation", tmp_path / "t.jsonl")
    assert await transcript.evidence(None) == [{"kind": "agent_session", "session_id": "a-conversation"}]
    write(transcript.path, answer("a", 5), interruption(), interruption())
    [said, conversation] = await transcript.evidence("interrupted")
    assert said == INTERRUPTED
    assert conversation["usage"]["input_tokens"] == 5


async def test_tools_are_told_when_they_begin_and_when_they_are_over_each_once(tmp_path: Path) -> None:
    def uses(name: str, use: str, **given: str) -> dict[str, Any]:
        block = {"type": "tool_use", "id": use, "name": name, "input": given}
        return answer("m", 1) | {"message": {"id": "m", "usage": {}, "content": [block]}}

    def over(use: str, *, failed: bool = False) -> dict[str, Any]:
        block = {"type": "tool_result", "tool_use_id": use, "content": "…", "is_error": failed}
        return {"type": "user", "message": {"content": [block]}, "timestamp": "2100-01-01T00:00:00.500Z"}

    transcript = Transcript("a-conversation", tmp_path / "t.jsonl")
    transcript.begin_turn()
    write(
        transcript.path, uses("Bash", "1", description="Lists", command="ls\nls -l"), uses("Read", "2", file_path="/a")
    )
    write(transcript.path, uses("Bash", "1", command="ls"), over("2"), over("1", failed=True), over("unknown"))
    write(transcript.path, uses("Task", "3", prompt="in a conversation of its own") | {"isSidechain": True})
    assert await transcript.news() == []
    told = [(use.tool, use.what, use.over, use.failed) for use in transcript.tools]
    assert told == [
        ("Bash", "ls", False, False), ("Read", "/a", False, False), ("Read", "/a", True, False),
        ("Bash", "ls", True, True),
    ]  # fmt: skip
    assert transcript.tools[-1].at.isoformat() == "2100-01-01T00:00:00.500000+00:00"
    transcript.begin_turn()
    assert not transcript.tools
