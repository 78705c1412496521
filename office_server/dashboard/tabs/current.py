"""Now: the live terminal, what the session works on, and what happened in it lately."""

from office_server.dashboard.bits import Ago, element, plain, text
from office_server.dashboard.feed import News
from office_server.dashboard.live_terminal import LiveTerminal
from office_server.dashboard.tabs.base import Tab
from office_server.picture_rows import SeenSession


class Current(Tab):
    terminal: LiveTerminal | None = None

    async def build(self) -> None:
        words = self.words
        with element("div", "now"):
            with element("section", "screen", aria_label=words("session.terminal")):
                self.terminal = LiveTerminal(self.visit, self.seen)
            with element("aside", "beside", aria_label=words("session.facts")):
                text("h3", words("session.prompt"))
                self._prompt = text("p", "", "said", tabindex="0")
                text("h3", words("session.activity"))
                self._activity = element("ol", "activity")
                text("h3", words("session.facts"))
                self._build_facts()
        self._show(self.seen)
        await self.terminal.begin()
        await self._show_activity()

    async def look(self, seen: SeenSession, news: News) -> None:
        if self.terminal is not None and seen.id in news.moved:
            await self.terminal.follow()
        if news.new_picture and seen != self.seen:
            moved = (seen.status, seen.turn) != (self.seen.status, self.seen.turn)
            self.seen = seen
            self._show(seen)
            if moved:
                await self._show_activity()

    def _show(self, seen: SeenSession) -> None:
        self._prompt.show(plain(seen.prompt or self.words("session.no_prompt")))

    async def _show_activity(self) -> None:
        events = await self.visit.services.backend.pages.events(self.seen.id, 30)
        if self._activity.is_deleted:
            return
        self._activity.clear()
        with self._activity:
            for event in events:
                with element("li"):
                    text("span", self.words.of("event", event.kind))
                    Ago(event.at, "quiet")
            if not events:
                text("li", self.words("session.quiet"), "quiet")

    def _build_facts(self) -> None:
        seen, words = self.seen, self.words
        facts = {
            "agent": f"{seen.agent} {seen.model or ''}".strip(), "machine": seen.machine,
            "pool": words.of("pool", seen.pool), "task": seen.task or "–", "branch": seen.branch or "–",
            "author": seen.author or "–",
        }  # fmt: skip
        with element("dl", "facts"):
            for name, value in facts.items():
                text("dt", words(f"session.{name}"))
                text("dd", value)
            text("dt", words("session.since"))
            with element("dd"):
                Ago(seen.created_at)
