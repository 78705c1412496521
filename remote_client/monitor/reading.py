"""Reads a rendered screen as a person would: who said what since the last prompt, what is asked, where to type.

Knows an agent's looks by its profile alone, and only says what it sees; what that means for a turn is not known here.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from remote_client.monitor.ink import Ink, ink_of
from remote_client.monitor.profile import Profile, Speaker
from remote_client.monitor.screen_moves import Style

RULE_COLUMNS = 8
DIALOG_LINES = 40
_RULE = re.compile(rf"^\s?[─━╌═▔▁]{{{RULE_COLUMNS},}}")
_CHOSEN = re.compile(r"^[ │]{0,5}[❯›>●▶→]\s*(?P<number>\d+)[.)]\s+(?P<text>\S.*?)[ │]*$")
_CHOICE = re.compile(r"^[ │]{0,8}(?P<number>\d+)[.)]\s+(?P<text>\S.*?)[ │]*$")
_FRAME = " │┃|"


@dataclass
class Block:
    """What was said in one go, without signs and indentation."""

    speaker: Speaker
    lines: list[str] = field(default_factory=list[str])
    ink: Ink = "none"
    headless: bool = False
    """Its beginning is not on view, so that who speaks is only likely."""

    @property
    def text(self) -> str:
        return "\n".join(self.lines).strip()


@dataclass(frozen=True)
class Dialog:
    """Something is asked. `permission`: whether it is about being allowed something."""

    permission: bool
    question: str
    choices: list[str]
    title: str


@dataclass(frozen=True)
class Look:
    """What stands on the screen. `box` is what is in the place to type; None: there is none on view."""

    prompt: str | None
    blocks: list[Block]
    box: str | None
    dialog: Dialog | None
    busy: bool
    interrupted: bool
    finished: bool
    background: bool
    width: int

    @property
    def last_words(self) -> Block | None:
        """What was last said or done, status lines left aside."""
        return next((block for block in reversed(self.blocks) if block.speaker != "other" and block.text), None)

    @property
    def said(self) -> list[Block]:
        return [block for block in self.blocks if block.speaker in ("agent", "alarm")]


def look_at(lines: Sequence[str], styles: Sequence[Style], profile: Profile) -> Look:
    lines = [line.replace("\xa0", " ").rstrip() for line in lines]
    box_first, box_last = _find_box(lines, profile)
    box = None
    if box_first is not None:
        typed = [line.strip() for line in lines[box_first + 1 : box_last]]
        box = "\n".join([typed[0][1:].strip(), *typed[1:]]).strip()
    transcript = lines if box_first is None else lines[:box_first]
    below = [] if box_first is None else lines[box_last:]
    dialog = _find_dialog(lines, profile) if box_first is None else None
    reader = _TranscriptReader(profile)
    for line, style in zip(transcript, styles, strict=False):
        reader.take(_prompt_line(line, profile), style)
    near_box = below if profile.ruled_box else [line for line in lines if line][-6:]
    notes = reader.closing_notes()
    return Look(
        prompt="\n".join(reader.prompt).strip() if reader.prompt is not None else None,
        blocks=reader.blocks,
        box=box,
        dialog=dialog,
        busy=profile.busy is not None and any(profile.busy.search(line) for line in near_box),
        interrupted=reader.interrupted,
        finished=profile.finished is not None and any(profile.finished.search(note) for note in notes),
        background=profile.background is not None and any(profile.background.search(note) for note in notes),
        width=max((len(line) for line in lines if _RULE.match(line)), default=0),
    )


def _prompt_line(line: str, profile: Profile) -> str:
    """A prompt that stands a little further in, in the first column."""
    inner = line[profile.prompt_indent :]
    is_prompt = inner[:1] != "" and inner[0] in profile.prompt_glyphs and inner[1:2] in ("", " ")
    return inner if is_prompt and not line[: profile.prompt_indent].strip() else line


def _find_box(lines: Sequence[str], profile: Profile) -> tuple[int | None, int]:
    """The lines of the rules above and below the place to type."""
    if not profile.ruled_box:
        for row in range(len(lines) - 1, max(len(lines) - DIALOG_LINES, -1), -1):
            line = _prompt_line(lines[row], profile)
            if _CHOSEN.match(line):
                return None, 0  # a dialog stands where the place to type would be
            if line and line[0] in profile.prompt_glyphs:
                return row - 1, row + 1
        return None, 0
    below: int | None = None
    for row in range(len(lines) - 1, -1, -1):
        if not _RULE.match(lines[row]):
            continue
        if below is not None and below - row > 1:
            first = lines[row + 1].lstrip(_FRAME)
            if first and first[0] in profile.prompt_glyphs and not _CHOSEN.match(lines[row + 1]):
                return row, below
        below = row
    return None, 0


def _find_dialog(lines: Sequence[str], profile: Profile) -> Dialog | None:
    first = max(len(lines) - DIALOG_LINES, 0)
    for row in range(len(lines) - 1, first - 1, -1):
        chosen = _CHOSEN.match(lines[row])
        if chosen is None:
            continue
        choices = [found["text"] for line in lines[max(row - 20, 0) : row + 20] if (found := _any_choice(line))]
        if len(choices) < 2:
            continue
        top = next((above for above in range(row - 1, first - 1, -1) if _RULE.match(lines[above])), first - 1)
        before = [line.strip(_FRAME) for line in lines[top + 1 : row]]
        words = [line for line in before if line and not _any_choice(line)]
        asked = next((line for line in reversed(words) if line.endswith("?")), words[-1] if words else "")
        permission = any(profile.question.search(line) for line in [*words, *choices[:1]])
        return Dialog(permission, asked, choices, words[0] if words else "")
    return None


def _any_choice(line: str) -> re.Match[str] | None:
    return _CHOSEN.match(line) or _CHOICE.match(line)


class _TranscriptReader:
    """Goes through the lines from the top; what came before the last prompt is forgotten when that is reached."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self.prompt: list[str] | None = None
        self.blocks: list[Block] = []
        self.interrupted = False
        self._in_prompt = False
        self._paragraph = 0  # where the last paragraph of the block began

    def take(self, line: str, style: Style) -> None:
        if not line:
            self._take_blank()
        elif line[0] != " ":
            self._take_head(line, ink_of(style.ink))
        else:
            self._take_more(line, style)

    def closing_notes(self) -> list[str]:
        """The status lines after everything that was said and done."""
        notes: list[str] = []
        for block in reversed(self.blocks):
            if block.speaker != "other" and block.text:
                break
            notes.append(block.text)
        return notes

    def _take_blank(self) -> None:
        if self._in_prompt and self.prompt is not None:
            self.prompt.append("")
        elif self.blocks:
            self.blocks[-1].lines.append("")
            self._paragraph = len(self.blocks[-1].lines)

    def _take_head(self, line: str, ink: Ink) -> None:
        profile = self._profile
        sign, rest = line[0], line[1:]
        alone = rest[:1] in ("", " ")
        self._in_prompt = False
        if sign in profile.prompt_glyphs and alone and not _CHOSEN.match(line):
            self.prompt = [rest.strip()]
            self.blocks = []
            self.interrupted = False
            self._in_prompt = True
            return
        if sign in profile.bullet_glyphs and alone:
            text = rest.strip()
            speaker = profile.speakers.get(sign) or self._speaker(text, ink)
            self._begin(speaker, text, ink)
            if profile.interrupted is not None and profile.interrupted.search(text):
                self.interrupted = True
            elif speaker != "other":
                self.interrupted = False
            return
        self._begin("other", line)

    def _begin(self, speaker: Speaker, text: str, ink: Ink = "none") -> None:
        self.blocks.append(Block(speaker, [text], ink))
        self._paragraph = 0

    def _speaker(self, text: str, ink: Ink) -> Speaker:
        """Who leads with a bullet of this colour."""
        tool = self._profile.tool_head.match(text) is not None
        if ink == "text":
            return "agent"
        if ink == "alarm":
            return "tool" if tool else "alarm"
        if ink == "none":
            return "tool" if tool else "agent"
        return "tool" if tool or ink == "good" else "other"

    def _take_more(self, line: str, style: Style) -> None:
        text = line.strip()
        ink = ink_of(style.ink)
        if text[0] in self._profile.result_glyphs and text[1:2] in ("", " ") and self._may_lead_result(ink):
            self._take_result(text[1:].strip())
            return
        if self._in_prompt and self.prompt is not None:
            self.prompt.append(text)
            return
        indent = len(line) - len(text)
        if not self.blocks:
            # The head of this is above what is on view. A prompt has a ground of its own, an agent's own words stand
            # two columns in, output further.
            if style.on_background:
                return
            self.blocks.append(Block("agent" if indent == 2 else "tool", headless=True))
        block = self.blocks[-1]
        if block.speaker == "agent" and ink == "dim" and indent <= 2 and self._paragraph == len(block.lines):
            self.blocks.append(Block("tool"))  # a tool's line that lost its bullet
            self._paragraph = 0
            block = self.blocks[-1]
        block.lines.append(text)

    def _may_lead_result(self, ink: Ink) -> bool:
        """Where words have a colour, the sign of a tool's output is grey: else it is quoted."""
        coloured = bool(self.blocks) and self.blocks[-1].speaker == "agent" and self.blocks[-1].ink == "text"
        return ink in ("dim", "alarm") or not coloured

    def _take_result(self, text: str) -> None:
        if self._profile.interrupted is not None and self._profile.interrupted.search(text):
            self.interrupted = True
            self._begin("tool", "")
            return
        self._in_prompt = False
        lines: list[str] = []
        if self.blocks and self.blocks[-1].speaker == "agent":
            # The paragraph right above is what the tool was called for, not speech.
            block = self.blocks[-1]
            lines = block.lines[self._paragraph :]
            del block.lines[self._paragraph :]
        if not self.blocks or self.blocks[-1].speaker not in ("tool", "other") or lines:
            self._begin("tool", "")
        self.blocks[-1].lines += [*lines, text]
