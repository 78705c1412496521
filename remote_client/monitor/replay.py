"""Plays a recording to a monitor, with the recording's own clock."""

import re
from collections.abc import Iterator

from remote_client.monitor.findings import Finding
from remote_client.monitor.patterns import PatternTable
from remote_client.monitor.profile import known_agents, load_profile
from remote_client.monitor.recording import Event, Recording
from remote_client.monitor.turn_monitor import TurnMonitor
from remote_client.terminals import FIRST_BYTE, Chunk, ExitStatus

AFTERWARDS_SECONDS = 15.0
"""What waits for a moment of rest when the recording ends gets it."""

_SAYS_ITS_NAME = {
    "claude": rb"Claude[^\x1b]{0,3}(?:\x1b\[[0-9;]*[GCm])*\s?Code",
    "codex": rb"OpenAI (?:\x1b\[[0-9;]*m)*Codex",
    "gemini": rb"Gemini CLI",
    "opencode": rb"(?i)opencode",
    "aider": rb"Aider v\d",
}


def guess_agent(recording: Recording) -> str:
    """Who it is, by its own words at the beginning; `claude` where nobody says."""
    output = b"".join(event.data for event in recording.events[:200] if event.kind == "output")[:65_536]
    names = [name for name, words in _SAYS_ITS_NAME.items() if name in known_agents() and re.search(words, output)]
    return names[0] if names else "claude"


def replay(recording: Recording, agent: str, patterns: PatternTable | None = None) -> Iterator[Finding]:
    """All that is found, in the order in which it was known; `seen_at` is the recording's time."""
    monitor = TurnMonitor(load_profile(agent), patterns=patterns, rows=recording.rows)
    end = FIRST_BYTE
    now = 0.0
    status: ExitStatus | None = None
    for event in recording.events:
        now = max(event.time, now)
        yield from _ticks(monitor, now)
        if event.kind == "output":
            chunk = Chunk(end, event.data)
            end = chunk.end
            yield from monitor.feed(chunk, now)
        elif event.kind == "input":
            yield from monitor.typed(event.data, now)
        elif event.kind == "resize":
            _resize(monitor, event)
        elif event.data.strip().lstrip(b"-").isdigit():
            status = ExitStatus(int(event.data), None)
    if status is None:
        yield from _ticks(monitor, now + AFTERWARDS_SECONDS)
    yield from monitor.exited(status, now)


def _ticks(monitor: TurnMonitor, until: float) -> Iterator[Finding]:
    while (deadline := monitor.deadline) is not None and deadline <= until:
        yield from monitor.tick(deadline)


def _resize(monitor: TurnMonitor, event: Event) -> None:
    size = re.fullmatch(rb"(\d{1,4})x(\d{1,4})", event.data)
    if size is not None:
        monitor.resized(int(size[1]), int(size[2]))
