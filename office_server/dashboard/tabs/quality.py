"""How it is known what came of each turn: the evidence piece by piece, files outside the role's scope, and commits."""

from typing import Any, cast

from office_server.dashboard.bits import Ago, element, empty, text
from office_server.dashboard.outcomes import in_words, tone_of
from office_server.dashboard.tabs.base import Tab
from office_server.rows import Turn


class Quality(Tab):
    async def build(self) -> None:
        turns = await self.visit.services.backend.pages.turns(self.seen.id)
        ended = [turn for turn in turns if turn.outcome is not None]
        words = self.words
        if not ended:
            empty(words("quality.none"), words("quality.none_hint"))
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
        text("h3", words("quality.evidence"))
        with element("ol", "turns"):
            for turn in ended:
                self._turn(turn)

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
