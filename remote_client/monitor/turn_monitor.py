"""Fuses what is known of an agent's turn (hooks, exit, title, transcript, screen, keys) into outcomes with evidence.

No I/O and no clock: whoever drives it passes in what came and when. `now` is any clock in seconds that never goes back.
"""

from collections.abc import Sequence

from remote_client.monitor.findings import Evidence, Finding
from remote_client.monitor.profile import Profile
from remote_client.terminals import FIRST_BYTE, Chunk, ExitStatus, HookEvent
from shared.ids import ByteOffset


class TurnMonitor:
    """One agent in one terminal, for as long as the terminal lives; sees one turn after the other.

    Every method that takes something in returns what was found by it, oldest first, each thing once. Some findings
    need a moment of rest to be sure of: whenever `deadline` is not None, call `tick` at that time.
    """

    def __init__(
        self, profile: Profile, *, cols: int = 120, rows: int = 40, first_offset: ByteOffset = FIRST_BYTE
    ) -> None: ...

    # What came ------------------------------------------------------------------------------------------------------

    def feed(self, chunk: Chunk, now: float) -> list[Finding]:
        """Output. Any chunking gives the same findings."""
        ...

    def hear(self, event: HookEvent, now: float) -> list[Finding]:
        """A hook of the agent itself; the first one makes the monitor rank hooks before everything else."""
        ...

    def typed(self, data: bytes, now: float) -> list[Finding]:
        """Keys sent to the terminal, by the driver or by a person: prompts, ESC, Ctrl+C, answers to dialogs."""
        ...

    def resized(self, cols: int, rows: int) -> None: ...

    def learned(self, evidence: Evidence, now: float) -> list[Finding]:
        """A fact from outside the terminal: {"kind": "transcript", "says": "interrupted" | "error" | "turn_duration"}
        or {"kind": "git", "commits": […]}. A transcript's word can end the turn; git's is added to the evidence."""
        ...

    def exited(self, exit_status: ExitStatus | None, now: float) -> list[Finding]:
        """The program has ended, or (None) nothing more will be known of it. A turn that ran is over."""
        ...

    def tick(self, now: float) -> list[Finding]:
        """Time has passed: settles what waited for a moment of rest, and notices silence."""
        ...

    # What is known --------------------------------------------------------------------------------------------------

    @property
    def deadline(self) -> float | None:
        """When `tick` has something to decide, if nothing comes before; None: never."""
        ...

    @property
    def turn_runs(self) -> bool:
        """A prompt was taken and its turn has not ended (it may stand still)."""
        ...

    @property
    def ready(self) -> bool:
        """The agent shows that it takes a prompt now, and no turn runs."""
        ...

    def carry_on(self, text: str, start: ByteOffset, now: float) -> list[Finding]:
        """A turn that was typed before this monitor was made: it runs, its output beginning at `start`."""
        ...

    def screen(self) -> Sequence[str]:
        """The lines that a person would see now, for error messages and reports."""
        ...
