"""The course of turns, one after the other: starts, stands still, goes on, ends; each with the evidence for it.

Ranking: the agent's own hooks, then the end of the program, then what the transcript says, then title and screen
together. Silence is only told of. Where nothing fits, the turn is reported as waiting for input: somebody must look.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from remote_client.monitor.findings import Evidence, Finding, FindingKind
from remote_client.monitor.hooks import HookWord, Said
from remote_client.monitor.keys import Key
from remote_client.monitor.patterns import Hit, PatternKind, PatternTable
from remote_client.monitor.profile import Activity, Profile
from remote_client.monitor.reading import Dialog, Look
from remote_client.monitor.screen_reader import ScreenReader, alike
from remote_client.monitor.turn import Submitted, Turn, Verdict, exit_verdict, line_verdict, verdict_of
from remote_client.monitor.turn_report import report_of
from remote_client.terminals import ExitStatus
from shared.ids import ByteOffset
from shared.states import SessionStatus, TurnOutcome

REST_SECONDS = 0.25
"""After an agent stopped, its last frame may still come; it is read when nothing came for so long."""
HOOK_PATIENCE_SECONDS = 3.0
"""So long a hook may be late before the screen is believed without it."""
PATIENCE_SECONDS = 10.0
"""So long the screen may tell nothing, after the agent stopped, before the turn is called unknown."""
RENDER_EVERY_SECONDS = 0.25
PROMPT_KEPT = 200
UNKNOWN = Verdict(TurnOutcome.WAITING_INPUT, {"kind": "screen", "says": "nothing known"})


class TurnCourse:
    """Told what came, in order; gathers findings until they are taken."""

    def __init__(self, profile: Profile, table: PatternTable, *, rows: int, quiet_seconds: float) -> None:
        self.turn: Turn | None = None
        self.reader = ScreenReader(profile, table.of_kind(PatternKind.MARKER), rows)
        self._profile = profile
        self._table = table
        self._errors = table.of_kind(PatternKind.ERROR)
        self._quiet_seconds = quiet_seconds
        self._findings: list[Finding] = []
        self._submitted: deque[Submitted] = deque(maxlen=16)
        self._reported: set[str] = set()
        self._activity: Activity | None = None
        self._hooked = False
        self._exited = False
        self._settles_at: float | None = None
        self._rendered_at = 0.0
        self._last_output_at = 0.0
        self._told_quiet = False

    def take_findings(self) -> list[Finding]:
        found, self._findings = self._findings, []
        return found

    def find(self, kind: FindingKind, at: ByteOffset, now: float, *evidence: Evidence, **detail: Any) -> None:
        self._findings.append(Finding(kind, at, now, list(evidence), detail))

    @property
    def deadline(self) -> float | None:
        """When `tick` has something to do."""
        times = [self._settles_at] if self._settles_at is not None else []
        if self.reader.behind and not self.reader.flooded and not self._exited:
            times.append(self._rendered_at + RENDER_EVERY_SECONDS)
        if self.turn is not None and not self._told_quiet:
            times.append(self._last_output_at + self._quiet_seconds)
        return min(times, default=None)

    def takes_prompt(self) -> bool:
        look = self.reader.look()
        return look.box is not None and look.dialog is None and not look.busy

    # What came ------------------------------------------------------------------------------------------------------

    def output_came(self, now: float) -> None:
        self._last_output_at = now
        self._told_quiet = False
        turn = self.turn
        if turn is not None and (turn.rests_since is not None or turn.stands is not None):
            self._settle_soon(now)
        elif self._activity is None and (turn is not None or self._submitted) and self._settles_at is None:
            self._settle_soon(now)  # without a title, the screen is looked at again and again

    def title_said(self, says: Activity, title: str, at: ByteOffset, now: float) -> None:
        evidence: Evidence = {"kind": "title", "title": title, "says": says, "offset": at}
        before, self._activity = self._activity, says
        if says != before:
            self.find(FindingKind.TITLE, at, now, evidence)
        turn = self.turn
        if says == "busy":
            if turn is not None and turn.rests_since is not None:
                self._before_it_works_again(turn, at, now)
            if self.turn is not None:
                self.turn.note_title(evidence)
                self._goes_on(evidence, at, now)
            elif before != "busy":
                self._start(evidence, at, now)
        elif turn is not None and turn.rests_since is None:
            turn.evidence.append(evidence)
            self._rests(turn, at, now)
        elif turn is not None:
            turn.note_title(evidence)

    def hook_said(self, word: HookWord, at: ByteOffset, now: float) -> None:
        self._hooked = True
        turn = self.turn
        if word.said is Said.STARTED:
            self._prompt_arrived(word, at, now)
        elif turn is None:
            return
        elif word.said is Said.FINISHED:
            self._end(Verdict(TurnOutcome.DONE, word.evidence), at, now, word.message)
        elif word.said is Said.FAILED:
            self._end(Verdict(TurnOutcome.ERROR, word.evidence, dict(word.detail)), at, now, word.message)
        elif word.said is Said.PAUSED:
            self._pause(turn, word.evidence, at, now, **word.detail)
        elif word.said is Said.ASKS_PERMISSION:
            self._stand(SessionStatus.NEEDS_PERMISSION, word.evidence, word.detail, at, now)
        elif word.said is Said.ASKS:
            self._stand(SessionStatus.WAITING_INPUT, word.evidence, word.detail, at, now)
        elif word.said is Said.WORKS:
            self._goes_on(word.evidence, at, now)
        elif word.said is Said.RESTS and turn.stands is None:
            turn.evidence.append(word.evidence)
            self._rests(turn, at, now)

    def key(self, key: Key, at: ByteOffset, now: float) -> None:
        turn = self.turn
        if key.kind == "submit" and key.text:
            self._submitted.append(Submitted(key.text, at, now))
            if not self._profile.full_screen and turn is None:
                self._start({"kind": "typed", "offset": at}, at, now)
            elif self._activity is None:
                self._settle_soon(now)
        elif key.kind in ("escape", "ctrl-c") and turn is not None:
            turn.interrupt_key, turn.interrupt_key_at = key.kind, now

    def hit(self, hit: Hit, end: ByteOffset, now: float) -> None:
        turn = self.turn
        if turn is not None:
            turn.hits.append((hit, end))
        elif hit.pattern.kind is not PatternKind.MARKER:
            self._reported.add(hit.value)  # old text, painted again

    def learned(self, evidence: Evidence, at: ByteOffset, now: float) -> None:
        turn = self.turn
        if turn is None:
            return
        says = evidence.get("says")
        turn.note(evidence)
        if evidence.get("kind") not in ("transcript", "hook"):
            return
        if says == "interrupted":
            self._end(Verdict(TurnOutcome.INTERRUPTED, evidence), at, now)
        elif says == "error":
            turn.transcript_error = evidence
        elif says == "turn_duration" and turn.rests_since is None:
            self._rests(turn, at, now)

    def exited(self, exit_status: ExitStatus | None, at: ByteOffset, now: float) -> None:
        turn = self.turn
        self._exited = True
        evidence: Evidence = {"kind": "exit", "offset": at}
        if exit_status is not None:
            evidence |= {"status": exit_status.status, "signal": exit_status.signal}
        else:
            evidence |= {"says": "nothing more is known"}
        if turn is not None:
            if turn.rests_since is not None:
                self._resolve(at, now)
            if self.turn is not None:
                self._end(exit_verdict(turn, self._profile, exit_status, evidence), at, now)
        if exit_status is not None:
            self.find(FindingKind.EXITED, at, now, evidence)
        self._settles_at = None

    def tick(self, at: ByteOffset, now: float) -> None:
        settles = self._settles_at is not None and now >= self._settles_at
        if self.reader.behind and (settles or now >= self._rendered_at + RENDER_EVERY_SECONDS):
            self.reader.render_some()
            self._rendered_at = now
        if settles and not self.reader.behind:  # else at once again, so that others get their turn
            self._settles_at = None
            self._resolve(at, now)
        if self.turn is not None and not self._told_quiet and now >= self._last_output_at + self._quiet_seconds:
            self._told_quiet = True
            silence: Evidence = {"kind": "quiet", "seconds": round(now - self._last_output_at, 1), "offset": at}
            self.find(FindingKind.QUIET, at, now, silence)

    # The course of one turn -----------------------------------------------------------------------------------------

    def begin(self, prompt: str, start: ByteOffset, started_at: float, evidence: Evidence) -> None:
        self.reader.begin_turn(prompt)
        self.turn = Turn(start, started_at, prompt, [evidence])
        self._settles_at = None
        self._last_output_at = max(self._last_output_at, started_at)
        self._told_quiet = False
        self.find(FindingKind.TURN_STARTED, start, started_at, evidence, prompt=prompt[:PROMPT_KEPT])

    def _start(self, evidence: Evidence, at: ByteOffset, now: float) -> None:
        while len(self._submitted) > 1 and self._submitted[0].text.startswith("/"):
            self._submitted.popleft()  # a command of the agent's own starts no turn
        submitted = self._submitted.popleft() if self._submitted else Submitted("", at, now)
        self.begin(submitted.text, submitted.at, submitted.when, evidence)

    def _prompt_arrived(self, word: HookWord, at: ByteOffset, now: float) -> None:
        turn = self.turn
        if turn is not None and turn.confirmed:
            # One prompt after the other, and nothing told how the first one ended.
            self._end(self._verdict(turn) or UNKNOWN, at, now)
            turn = None
        if turn is None:
            self._start(word.evidence, at, now)
        elif word.evidence not in turn.evidence:
            turn.evidence.append(word.evidence)
        assert self.turn is not None  # noqa: S101  just made
        self.turn.confirmed = True
        self.turn.prompt = word.prompt or self.turn.prompt
        self.reader.prompt = self.turn.prompt

    def _rests(self, turn: Turn, at: ByteOffset, now: float) -> None:
        turn.rests_since = at
        turn.rested_at = now
        self._settle_soon(now)

    def _settle_soon(self, now: float) -> None:
        self._settles_at = now + REST_SECONDS

    def _goes_on(self, evidence: Evidence, at: ByteOffset, now: float) -> None:
        turn = self.turn
        if turn is None:
            return
        if evidence["kind"] == "title":
            turn.rests_since = None
            self._settles_at = None
        if turn.stands is not None or turn.paused:
            turn.stands = None
            turn.paused = False
            self.find(FindingKind.GOES_ON, at, now, evidence)

    def _stand(
        self, status: SessionStatus, evidence: Evidence, detail: Mapping[str, Any], at: ByteOffset, now: float
    ) -> None:
        turn = self.turn
        if turn is None or (turn.stands is status and evidence.get("name") != "PermissionRequest"):
            return
        turn.stands = status
        turn.evidence.append(evidence)
        kind = FindingKind.NEEDS_PERMISSION if status is SessionStatus.NEEDS_PERMISSION else FindingKind.WAITING_INPUT
        self.find(kind, at, now, evidence, **detail)

    def _stand_at_dialog(self, dialog: Dialog, at: ByteOffset, now: float) -> None:
        status = SessionStatus.NEEDS_PERMISSION if dialog.permission else SessionStatus.WAITING_INPUT
        evidence: Evidence = {"kind": "screen", "says": "dialog", "question": dialog.question, "offset": at}
        detail = {"title": dialog.title, "question": dialog.question, "choices": dialog.choices}
        self._stand(status, evidence, detail, at, now)

    def _pause(self, turn: Turn, evidence: Evidence, at: ByteOffset, now: float, **detail: Any) -> None:
        if not turn.paused:
            turn.paused = True
            turn.evidence.append(evidence)
            self.find(FindingKind.PAUSED, at, now, evidence, **detail)

    def _before_it_works_again(self, turn: Turn, at: ByteOffset, now: float) -> None:
        """It rested and works again: the same turn after an answer or a wake-up, or already the next one."""
        look = self.reader.look()
        if look.dialog is not None:
            self._stand_at_dialog(look.dialog, at, now)
            return
        if turn.stands is not None or turn.paused:
            return
        # With the next prompt typed already, there is no moment of rest in which the screen would show it.
        verdict = verdict_of(replace(look, busy=look.busy and not self._submitted), turn, self._errors)
        if verdict is not None and verdict.outcome is TurnOutcome.DONE and look.background:
            self._pause(turn, {"kind": "screen", "says": "background work", "offset": at}, at, now)
        elif verdict is not None:
            self._end(verdict, at, now)
        elif self._submitted and self._submitted[-1].when > turn.rested_at:
            self._end(UNKNOWN, at, now)  # the next prompt was sent to an agent that rested

    def _verdict(self, turn: Turn) -> Verdict | None:
        if turn.transcript_error is not None:
            return Verdict(TurnOutcome.ERROR, turn.transcript_error, {"text": str(turn.transcript_error.get("text"))})
        if not self._profile.full_screen:
            return line_verdict(self.reader.lines(), turn, self._profile, self._errors)
        return verdict_of(self.reader.look(), turn, self._errors)

    def _resolve(self, at: ByteOffset, now: float) -> None:
        """A moment of rest: what does the screen say?"""
        turn = self.turn
        look = self.reader.look()
        if turn is None and self._activity is None and self._submitted and self._shows_prompt(look):
            self._start({"kind": "screen", "says": "busy" if look.busy else "answered", "offset": at}, at, now)
            turn = self.turn
        if turn is None:
            return
        if look.dialog is not None:
            self._stand_at_dialog(look.dialog, at, now)
            return
        if turn.rests_since is None:
            if self._activity is not None or look.busy:
                return
            self._rests(turn, at, now)  # without a title, the screen alone tells
        verdict = self._verdict(turn)
        if turn.paused:
            return
        if verdict is None or (verdict.outcome is TurnOutcome.DONE and self._hooked):
            # It may be a frame too early, or its hook is still to come.
            until = turn.rested_at + (PATIENCE_SECONDS if verdict is None else HOOK_PATIENCE_SECONDS)
            if now < until and not self._exited:
                self._settles_at = min(now + REST_SECONDS, until)
                return
            if verdict is None and not self._profile.full_screen:
                return
            verdict = verdict or UNKNOWN
        if verdict.outcome is TurnOutcome.DONE and look.background:
            self._pause(turn, {"kind": "screen", "says": "background work", "offset": at}, at, now)
            return
        self._end(verdict, at, now)

    def _shows_prompt(self, look: Look) -> bool:
        """The agent has taken the prompt that was sent."""
        taken = look.prompt is not None and alike(look.prompt, self._submitted[0].text)
        return taken and (look.busy or bool(look.said))

    def _end(self, verdict: Verdict, at: ByteOffset, now: float, message: str | None = None) -> None:
        turn = self.turn
        if turn is None:
            return
        self.turn = None
        self._settles_at = None
        self._findings += report_of(turn, verdict, self._table, self.reader, self._reported, at, now, message)
