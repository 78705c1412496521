"""Reads what aider writes down of a conversation, which tells its own words from those of the prompt.

A prompt stands behind "####", a note of aider's own behind ">", and what the model said in lines without either.
"""

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path

from remote_client.agents.adapter import Evidence
from remote_client.agents.prompt_text import as_prompt
from remote_client.monitor.findings import Finding
from shared.channels import DONE_MARKER
from shared.states import TurnOutcome

ERROR_CHARACTERS = 300
_ERROR = "> litellm."
_STOPPED = "> ^C"


@dataclass(frozen=True)
class Answer:
    """`words`: what the model said. `error`: what its API said instead. `stopped`: somebody pressed Ctrl-C."""

    words: str
    error: str | None
    stopped: bool


def answer_in(written: str) -> Answer:
    """What stands there since a turn began."""
    lines = [line.rstrip() for line in written.splitlines()]
    words = "\n".join(line for line in lines if not line.startswith(("> ", "#### ")) and line != ">").strip()
    errors = [line.removeprefix("> ") for line in lines if line.startswith(_ERROR)]
    stopped = any(line.startswith(_STOPPED) for line in lines)
    return Answer(words, errors[-1][:ERROR_CHARACTERS] if errors and not words else None, stopped)


class AiderHistory:
    """One conversation. Where nothing is written, nothing is known to be done."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._start = 0  # of the turn, in bytes

    def begin_turn(self) -> None:
        self._start = self._path.stat().st_size if self._path.exists() else 0

    def carry_on(self, prompt: str) -> None:
        heading = "".join(f"\n#### {line}  " for line in as_prompt(prompt).rstrip().splitlines())
        written = self._path.read_bytes() if self._path.exists() else b""
        place = written.rfind(f"{heading}\n".encode())
        self._start = place if place >= 0 else len(written)

    async def judge(self, finding: Finding) -> Finding:
        """What a key, an exit or a time-out ended stays as it is; where its prompt came back, its own words tell."""
        if finding.evidence[-1]["kind"] != "screen":
            return finding
        answer = answer_in(await asyncio.to_thread(self._read))
        evidence = [one for one in finding.evidence if one["kind"] != "marker"]
        if answer.stopped:
            stopped: Evidence = {"kind": "history", "says": "interrupted"}
            return replace(finding, outcome=TurnOutcome.INTERRUPTED, marker=False, evidence=[*evidence, stopped])
        if DONE_MARKER in answer.words:
            said: Evidence = {"kind": "marker", "name": "done", "in": "history"}
            return replace(finding, outcome=TurnOutcome.DONE, marker=True, evidence=[*evidence, said])
        if answer.error is not None:
            failed: Evidence = {"kind": "history", "says": "error", "text": answer.error}
            return replace(finding, outcome=TurnOutcome.ERROR, marker=False, evidence=[*evidence, failed])
        return replace(finding, outcome=TurnOutcome.WAITING_INPUT, marker=False, evidence=evidence)

    def _read(self) -> str:
        if not self._path.exists():
            return ""
        with self._path.open("rb") as file:
            file.seek(self._start)
            return file.read().decode(errors="replace")
