"""What the session was asked, turn by turn: how each ended, how that is known, and what it left."""

from office_server.dashboard.bits import Ago, element, empty, seconds_in_words, text
from office_server.dashboard.outcomes import in_words, tone_of
from office_server.dashboard.tabs.base import Tab
from office_server.rows import Command, Turn
from shared.ids import CommandId


class History(Tab):
    async def build(self) -> None:
        backend = self.visit.services.backend
        turns = await backend.pages.turns(self.seen.id)
        asked = await backend.pages.commands_of([turn.command_id for turn in turns if turn.command_id])
        if not turns:
            empty(self.words("history.none"), self.words("history.none_hint"))
            return
        with element("ol", "turns"):
            for turn in turns:
                self._turn(turn, asked)

    def _turn(self, turn: Turn, asked: dict[CommandId, Command]) -> None:
        words = self.words
        command = asked.get(turn.command_id) if turn.command_id else None
        with element("li", "sheet turn"):
            with element("div", "head"):
                if turn.outcome is None:
                    text("span", words("history.runs"), "outcome")
                else:
                    text("span", in_words(turn.outcome, turn.evidence, words), f"outcome {tone_of(turn.outcome)}")
                if turn.duration_s is not None:
                    text("span", seconds_in_words(turn.duration_s), "quiet")
                if turn.cost_usd is not None:
                    text("span", f"${turn.cost_usd:.3f}", "quiet")
                Ago(turn.started_at, "quiet")
            if command is not None:
                text(
                    "pre",
                    str(command.payload.get("text", "")),
                    "said",
                    tabindex="0",
                    aria_label=words("session.prompt"),
                )
                text("p", words("history.author", author=command.author or "–"), "quiet")
            for commit in turn.commits:
                text("p", f"⎇ {str(commit)[:12]}", "mono")
            for request in turn.pull_requests:
                text("p", f"⇄ {request}", "mono")
