"""What is remembered of one turn while it runs, and what its screen says about how it ended."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from remote_client.monitor.findings import Evidence
from remote_client.monitor.patterns import Hit, Pattern
from remote_client.monitor.profile import Profile
from remote_client.monitor.reading import Look
from remote_client.monitor.screen_reader import alike
from remote_client.terminals import ExitStatus
from shared.channels import DONE_MARKER
from shared.ids import ByteOffset
from shared.states import SessionStatus, TurnOutcome

INTERRUPT_WORKS_SECONDS = 2.5
"""A key stops an agent at once: what stops later, stopped by itself."""
ERROR_BEGINS_CHARACTERS = 60
"""An error stands at the beginning of what the agent says; further on, it speaks about one."""
ERROR_KEPT_CHARACTERS = 300
LINES_READ = 12

_PUT_BACK: Evidence = {"kind": "screen", "says": "the prompt stands in the input again"}


@dataclass
class Turn:
    """`start`: where its output begins; `prompt`: what was typed, as far as known."""

    start: ByteOffset
    started_at: float
    prompt: str
    evidence: list[Evidence] = field(default_factory=list[Evidence])
    rests_since: ByteOffset | None = None
    """Where the agent last showed that it works no longer; None: it works."""
    rested_at: float = 0.0
    stands: SessionStatus | None = None
    """needs_permission or waiting_input: it stands still until somebody answers."""
    paused: bool = False
    interrupt_key: str | None = None
    interrupt_key_at: float = 0.0
    confirmed: bool = False
    """The agent's own hook said that the prompt arrived."""
    transcript_error: Evidence | None = None
    hits: list[tuple[Hit, ByteOffset]] = field(default_factory=list[tuple[Hit, ByteOffset]])
    """What was seen in the bytes, whoever said it, and where it ended."""

    def note(self, evidence: Evidence) -> None:
        if evidence not in self.evidence:
            self.evidence.append(evidence)

    def note_title(self, evidence: Evidence) -> None:
        """What a hook said first, the title may still say, too: both are evidence, whichever came first."""
        if not any(one["kind"] == "title" and one["says"] == evidence["says"] for one in self.evidence):
            self.evidence.append(evidence)

    def said_marker(self) -> bool:
        """More often than it can have been echoed. Only for agents whose screen does not tell who speaks."""
        said = [hit for hit, _ in self.hits if hit.pattern.literal == DONE_MARKER]
        return len(said) > self.prompt.count(DONE_MARKER)

    def key_stopped_it(self) -> bool:
        """Somebody pressed a key that interrupts, and right after it the agent stopped."""
        return self.interrupt_key is not None and (
            self.rests_since is None or 0 <= self.rested_at - self.interrupt_key_at <= INTERRUPT_WORKS_SECONDS
        )


@dataclass(frozen=True)
class Submitted:
    """A prompt that was typed and sent."""

    text: str
    at: ByteOffset
    when: float


@dataclass(frozen=True)
class Verdict:
    """`error`: what is known of the error, when the agent told of one."""

    outcome: TurnOutcome
    evidence: Evidence
    error: dict[str, Any] | None = None


def verdict_of(look: Look, turn: Turn, errors: tuple[Pattern, ...]) -> Verdict | None:
    """How the turn of an agent that works no longer ended, by its screen; None: the screen does not tell."""
    if look.busy or look.dialog is not None:
        return None
    if look.interrupted:
        return Verdict(TurnOutcome.INTERRUPTED, {"kind": "screen", "says": "interrupted"})
    if look.prompt is not None and not alike(look.prompt, turn.prompt):  # all that was said, was said to another one
        if turn.key_stopped_it():
            return Verdict(TurnOutcome.INTERRUPTED, {"kind": "typed", "key": turn.interrupt_key})
        if look.box and alike(look.box, turn.prompt):
            return Verdict(TurnOutcome.INTERRUPTED, _PUT_BACK)
    failed = _failure(look, errors)
    if failed is not None:
        return failed
    if turn.key_stopped_it() and not look.finished:
        return Verdict(TurnOutcome.INTERRUPTED, {"kind": "typed", "key": turn.interrupt_key})
    if turn.prompt and look.box == turn.prompt.strip() and not look.said:
        return Verdict(TurnOutcome.INTERRUPTED, _PUT_BACK)
    words = look.last_words
    if words is None or look.box is None or words.speaker not in ("agent", "alarm"):
        return None
    return Verdict(TurnOutcome.DONE, {"kind": "screen", "says": "answered"})


def _failure(look: Look, errors: tuple[Pattern, ...]) -> Verdict | None:
    """The agent's last words are an error of its own, and not about one."""
    words = look.last_words
    if words is None or words.speaker not in ("agent", "alarm"):
        return None
    head = words.text.partition("\n\n")[0].replace("\n", " ")[:ERROR_BEGINS_CHARACTERS]
    latest = 0 if words.ink == "text" else ERROR_BEGINS_CHARACTERS
    name = next((one.name for one in errors if any(hit.start <= latest for hit in one.hits(head))), None)
    if name is None and (words.speaker != "alarm" or len(look.said) > 1):
        return None
    if DONE_MARKER in words.text:
        return None  # it talks about an error, and is done
    text = words.text[:ERROR_KEPT_CHARACTERS]
    return Verdict(TurnOutcome.ERROR, {"kind": "screen", "says": "error", "text": text}, {"name": name, "text": text})


def line_verdict(lines: Sequence[str], turn: Turn, profile: Profile, errors: tuple[Pattern, ...]) -> Verdict | None:
    """The same for an agent that only prints lines, by its prompt standing there again."""
    last = next((line for line in reversed(lines) if line.strip()), "")
    if profile.line_prompt is None or not profile.line_prompt.search(last):
        return None
    evidence: Evidence = {"kind": "screen", "says": "prompt"}
    if turn.said_marker():
        return Verdict(TurnOutcome.DONE, evidence)
    if turn.key_stopped_it():
        return Verdict(TurnOutcome.INTERRUPTED, {"kind": "typed", "key": turn.interrupt_key})
    for line in lines[-LINES_READ:]:
        name = next((one.name for one in errors if any(True for _ in one.hits(line))), None)
        if name is not None:
            return Verdict(TurnOutcome.ERROR, evidence, {"name": name, "text": line[:ERROR_KEPT_CHARACTERS]})
    return Verdict(TurnOutcome.WAITING_INPUT, evidence)


def exit_verdict(turn: Turn, profile: Profile, exit_status: ExitStatus | None, evidence: Evidence) -> Verdict:
    """The program is gone in the middle of its turn."""
    if exit_status is None:
        return Verdict(TurnOutcome.LOST, evidence)
    if turn.interrupt_key is not None:
        return Verdict(TurnOutcome.INTERRUPTED, evidence)
    if profile.exit_ends_turn and exit_status.status == 0:
        return Verdict(TurnOutcome.DONE, evidence)
    return Verdict(TurnOutcome.ERROR, evidence, {"name": "exit", "text": str(exit_status)})
