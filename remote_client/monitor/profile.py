"""What one kind of agent looks like in a terminal, as data: read from profiles/*.toml."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

Activity = Literal["busy", "idle"]
Speaker = Literal["agent", "alarm", "tool", "other"]
"""`agent`: its own words; `alarm`: words in red or yellow; `tool`: a tool's call or output; `other`: status, notes."""


@dataclass(frozen=True)
class Profile:
    """How to read one kind of agent; the comments in profiles/claude.toml say what the fields mean."""

    agent: str
    title_idle: re.Pattern[str] | None
    title_busy: re.Pattern[str] | None
    full_screen: bool
    prompt_glyphs: str
    prompt_indent: int
    bullet_glyphs: str
    speakers: Mapping[str, Speaker]
    result_glyphs: str
    ruled_box: bool
    tool_head: re.Pattern[str]
    busy: re.Pattern[str] | None
    interrupted: re.Pattern[str] | None
    background: re.Pattern[str] | None
    finished: re.Pattern[str] | None
    question: re.Pattern[str]
    line_prompt: re.Pattern[str] | None
    exit_ends_turn: bool

    def title_says(self, title: str) -> Activity | None:
        if self.title_busy is not None and self.title_busy.search(title):
            return "busy"
        if self.title_idle is not None and self.title_idle.search(title):
            return "idle"
        return None


_NEVER = r"(?!)"
_FOLDER = Path(__file__).with_name("profiles")


def parse_profile(agent: str, data: Mapping[str, Any]) -> Profile:
    title: Mapping[str, Any] = data.get("title", {})
    screen: Mapping[str, Any] = data.get("screen", {})
    lines: Mapping[str, Any] = data.get("lines", {})
    return Profile(
        agent=agent,
        title_idle=_pattern(title.get("idle")),
        title_busy=_pattern(title.get("busy")),
        full_screen=bool(screen),
        prompt_glyphs=screen.get("prompts", ""),
        prompt_indent=screen.get("prompt_indent", 0),
        bullet_glyphs=screen.get("bullets", ""),
        speakers=screen.get("speakers", {}),
        result_glyphs=screen.get("results", ""),
        ruled_box=screen.get("ruled_box", False),
        tool_head=re.compile(screen.get("tool_head", _NEVER)),
        busy=_any_of(screen.get("busy")),
        interrupted=_any_of(screen.get("interrupted")),
        background=_any_of(screen.get("background")),
        finished=_any_of(screen.get("finished")),
        question=_any_of(screen.get("question")) or re.compile(_NEVER),
        line_prompt=_pattern(lines.get("prompt")),
        exit_ends_turn=data.get("exit_ends_turn", False),
    )


@cache
def load_profile(agent: str) -> Profile:
    """The profile of an agent; `generic` for one that has none of its own."""
    source = _FOLDER / f"{agent}.toml"
    if agent not in known_agents():
        source = _FOLDER / "generic.toml"
    return parse_profile(agent, tomllib.loads(source.read_text("utf-8")))


def known_agents() -> list[str]:
    """The agents that have a profile of their own."""
    return sorted(source.stem for source in _FOLDER.glob("*.toml"))


def _pattern(text: str | None) -> re.Pattern[str] | None:
    return re.compile(text) if text is not None else None


def _any_of(texts: Sequence[str] | None) -> re.Pattern[str] | None:
    return re.compile("|".join(f"(?:{text})" for text in texts), re.IGNORECASE) if texts else None
