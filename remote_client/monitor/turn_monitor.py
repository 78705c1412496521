"""Fuses what is known of an agent's turn (hooks, exit, title, transcript, screen, keys) into outcomes with evidence.

No I/O and no clock: whoever drives it passes in what came and when. `now` is any clock in seconds that never goes back.
How one turn goes from start to verdict is in `turn_course`; here everything that comes in is brought to it.
"""

from collections.abc import Sequence

from remote_client.monitor.findings import Evidence, Finding, FindingKind
from remote_client.monitor.hooks import hook_word
from remote_client.monitor.keys import KeyReader
from remote_client.monitor.patterns import PatternKind, PatternTable, built_in_patterns
from remote_client.monitor.profile import Profile
from remote_client.monitor.scanner import StreamScanner
from remote_client.monitor.search import MakeSearch, best_search
from remote_client.monitor.sightings import Sighting
from remote_client.monitor.title import TitleReader
from remote_client.monitor.turn_course import TurnCourse
from remote_client.terminals import FIRST_BYTE, Chunk, ExitStatus, HookEvent
from shared.ids import ByteOffset

QUIET_SECONDS = 120.0


class TurnMonitor:
    """One agent in one terminal, for as long as the terminal lives; sees one turn after the other.

    Every method that takes something in returns what was found by it, oldest first, each thing once. Some findings
    need a moment of rest to be sure of: whenever `deadline` is not None, call `tick` at that time.
    """

    def __init__(
        self,
        profile: Profile,
        *,
        patterns: PatternTable | None = None,
        rows: int = 40,
        first_offset: ByteOffset = FIRST_BYTE,
        quiet_seconds: float = QUIET_SECONDS,
        search: MakeSearch = best_search,
    ) -> None:
        self._table = patterns or built_in_patterns()
        self._wanted = self._table.without(PatternKind.ERROR)  # those are read in the agent's last words
        self._search = search
        self._scanner = StreamScanner(self._wanted, first_offset, search)
        self._keys = KeyReader()
        self._title = TitleReader(profile)
        self._course = TurnCourse(profile, self._table, rows=rows, quiet_seconds=quiet_seconds)
        self._end = first_offset

    # What came ------------------------------------------------------------------------------------------------------

    def feed(self, chunk: Chunk, now: float) -> list[Finding]:
        """Output. Any chunking gives the same findings; what came before is passed over."""
        data = chunk.data
        if chunk.start > self._end:
            self._scanner = StreamScanner(self._wanted, chunk.start, self._search)
        elif chunk.start < self._end:
            data = data[self._end - chunk.start :]
        end = self._end = chunk.end
        start = end - len(data)
        course = self._course
        course.output_came(now)
        sightings = self._scanner.feed(data)
        if not sightings:
            course.reader.push(data)
            return course.take_findings()
        view = memoryview(data)
        taken = 0
        for sighting in sightings:
            upto = max(sighting.end - start, taken)
            course.reader.push(view[taken:upto])
            taken = upto
            self._sight(sighting, now)
        course.reader.push(view[taken:])
        return course.take_findings()

    def _sight(self, sighting: Sighting, now: float) -> None:
        course = self._course
        if sighting.kind == "title":
            told = self._title.read(sighting.text)
            if told is not None:
                course.title_said(told, sighting.text, sighting.end, now)
        elif sighting.kind == "hit" and sighting.hit is not None:
            course.hit(sighting.hit, sighting.end, now)
        elif sighting.kind == "bell":
            course.find(FindingKind.BELL, sighting.end, now)
        elif sighting.kind == "notice":
            course.find(FindingKind.NOTICE, sighting.end, now, text=sighting.text)

    def hear(self, event: HookEvent, now: float) -> list[Finding]:
        """A hook of the agent itself; the first one makes the monitor rank hooks before everything else."""
        self._course.hook_said(hook_word(event), event.at, now)
        return self._course.take_findings()

    def typed(self, data: bytes, now: float) -> list[Finding]:
        """Keys sent to the terminal, by the driver or by a person: prompts, ESC, Ctrl+C, answers to dialogs."""
        for key in self._keys.read(data):
            self._course.key(key, self._end, now)
        return self._course.take_findings()

    def resized(self, cols: int, rows: int) -> None:
        self._course.reader.resize(rows)

    def learned(self, evidence: Evidence, now: float) -> list[Finding]:
        """A fact from outside the terminal: {"kind": "transcript", "says": "interrupted" | "error" | "turn_duration"}
        or {"kind": "git", "commits": […]}. A transcript's word can end the turn; git's is added to the evidence."""
        self._course.learned(evidence, self._end, now)
        return self._course.take_findings()

    def exited(self, exit_status: ExitStatus | None, now: float) -> list[Finding]:
        """The program has ended, or (None) nothing more will be known of it. A turn that ran is over."""
        for sighting in self._scanner.flush():
            self._sight(sighting, now)
        self._course.exited(exit_status, self._end, now)
        return self._course.take_findings()

    def tick(self, now: float) -> list[Finding]:
        """Time has passed: settles what waited for a moment of rest, and notices silence."""
        self._course.tick(self._end, now)
        return self._course.take_findings()

    # What is known --------------------------------------------------------------------------------------------------

    @property
    def deadline(self) -> float | None:
        """When `tick` has something to decide, if nothing comes before; None: never."""
        return self._course.deadline

    @property
    def turn_runs(self) -> bool:
        """A prompt was taken and its turn has not ended (it may stand still)."""
        return self._course.turn is not None

    @property
    def ready(self) -> bool:
        """The agent shows that it takes a prompt now, and no turn runs."""
        return self._course.turn is None and self.takes_text

    @property
    def takes_text(self) -> bool:
        """A place to type is on view; nothing is asked, and nothing shows that the agent works."""
        return self._title.activity != "busy" and self._course.takes_prompt()

    def carry_on(self, text: str, start: ByteOffset, now: float) -> list[Finding]:
        """A turn that was typed before this monitor was made: it runs, its output beginning at `start`."""
        self._title.may_be_busy()
        self._course.begin(text, start, now, {"kind": "typed", "earlier": True, "offset": start})
        return self._course.take_findings()

    def screen(self) -> Sequence[str]:
        """The lines that a person would see now, for error messages and reports."""
        return self._course.reader.lines()
