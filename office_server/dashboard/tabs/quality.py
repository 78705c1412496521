"""How good the work is, and how that is known: checks and other evidence of its jobs, files outside the role's scope,
what each outcome rests on, and the diff of all of it, from the machine."""

from typing import Any, cast

from nicegui import ui

from office_server.dashboard.bits import Ago, attributed, button, element, empty, text
from office_server.dashboard.diff_lines import as_html
from office_server.dashboard.evidence_list import build_evidence
from office_server.dashboard.outcomes import in_words, tone_of
from office_server.dashboard.tabs.base import Tab
from office_server.dashboard.work_seen import look_at_work
from office_server.routes import commands, evidence
from office_server.routes.evidence import Evidence, EvidenceList
from office_server.rows import Turn
from shared.errors import OfficeError


class Quality(Tab):
    async def build(self) -> None:
        turns = await self.visit.services.backend.pages.turns(self.seen.id)
        ended = [turn for turn in turns if turn.outcome is not None]
        words = self.words
        if not ended:
            empty(words("quality.none"), words("quality.none_hint"))
            self._build_diff()
            return
        done = sum(turn.outcome == "done" for turn in ended)
        outside = sorted({file for turn in ended for file in files_outside(turn)})
        with element("div", "numbers"):
            self._number(words("quality.done"), f"{done} / {len(ended)}")
            self._number(words("quality.commits"), str(sum(len(turn.commits) for turn in ended)))
            self._number(words("quality.outside"), str(len(outside)))
        if outside:
            text("h3", words("quality.outside"))
            with element("ul", "files"):
                for file in outside:
                    text("li", file, "mono")
        await self._build_jobs()
        self._build_diff()
        text("h3", words("quality.evidence"))
        with element("ol", "turns"):
            for turn in ended:
                self._turn(turn)

    async def _build_jobs(self) -> None:
        """Checks and whatever else had to hold of the jobs that this session worked on."""
        found: list[Evidence] = []
        for job in await self.visit.services.backend.pages.jobs_of(self.seen.id):
            answer: EvidenceList = await self.visit.do(evidence.job_evidence, job_id=job)
            found += answer.evidence
        if found:
            text("h3", self.words("quality.checks"))
            build_evidence(self.words, found)

    def _build_diff(self) -> None:
        if self.seen.ended_at is not None or not self.visit.may(commands.insert_command):
            return
        text("h3", self.words("quality.diff"))
        with element("div", "diff-of") as self._diff:
            button(self.words("quality.show_diff"), self._show_diff)

    async def _show_diff(self) -> None:
        words = self.words
        try:
            found = await look_at_work(self.visit, self.seen.id)
        except OfficeError as error:
            found = None
            said = error.detail
        else:
            said = words("quality.changed", files=found["files_total"], commits=found["commits"])
        if self._diff.is_deleted:
            return
        self._diff.clear()
        with self._diff:
            with element("div", "tools"):
                text("span", said, "quiet", role="status")
                button(words("quality.show_diff"), self._show_diff)
            if found is None or not found["files"]:
                return
            with element("ul", "changed"):
                for one in found["files"]:
                    with element("li"):
                        text("span", str(one["path"]), "mono")
                        text("span", f"+{one['added']}" if one["added"] is not None else "", "good")
                        text("span", f"−{one['removed']}" if one["removed"] is not None else "", "bad")
            shown = ui.html(as_html(found["diff"]), sanitize=False).classes("diff")  # it is escaped
            attributed(shown, tabindex="0", role="region", aria_label=words("quality.diff"))
            if found["diff_cut"]:
                text("p", words("quality.cut"), "quiet")

    def _number(self, name: str, value: str) -> None:
        with element("div", "sheet number"):
            text("span", value, "value")
            text("span", name, "quiet")

    def _turn(self, turn: Turn) -> None:
        words = self.words
        with element("li", "sheet turn"):
            with element("div", "head"):
                if turn.outcome is not None:
                    text("span", in_words(turn.outcome, [], words), f"outcome {tone_of(turn.outcome)}")
                Ago(turn.started_at, "quiet")
            with element("dl", "facts"):
                for piece in turn.evidence:
                    if not isinstance(piece, dict):
                        continue
                    facts = cast("dict[str, Any]", piece)
                    kind = str(facts.get("kind", ""))
                    text("dt", words.of("evidence", kind))
                    rest = {name: value for name, value in facts.items() if name not in ("kind", "offset")}
                    said = ", ".join(f"{name}: {value}" for name, value in rest.items())
                    text("dd", said or "✓")


def files_outside(turn: Turn) -> list[str]:
    """Files that the turn changed although they are not its role's."""
    pieces = [cast("dict[str, Any]", piece) for piece in turn.evidence if isinstance(piece, dict)]
    return [str(file) for piece in pieces if piece.get("kind") == "scope" for file in piece.get("outside", [])]
