"""Now: the live terminal, what the session works on, and what happened in it lately."""

from office_server.dashboard.bits import Ago, element, plain, text
from office_server.dashboard.cards import using
from office_server.dashboard.feed import News
from office_server.dashboard.live_terminal import LiveTerminal
from office_server.dashboard.outcomes import happened, is_telling
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
                with element("section", aria_label=words("session.tool")) as self._tool_box:
                    text("h3", words("session.tool"))
                    with element("p", "tool"):
                        self._tool = text("span", "", "mono")
                        self._tool_since = Ago(None, "quiet")
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
            moved = (seen.status, seen.turn, seen.tool) != (self.seen.status, self.seen.turn, self.seen.tool)
            self.seen = seen
            self._show(seen)
            if moved:
                await self._show_activity()

    def _show(self, seen: SeenSession) -> None:
        self._prompt.show(plain(seen.prompt or self.words("session.no_prompt")))
        self._tool_box.set_visibility(seen.tool is not None)
        if seen.tool is not None:
            self._tool.show(using(seen))
            self._tool_since.show(seen.tool.at)

    async def _show_activity(self) -> None:
        found = await self.visit.services.backend.pages.events(self.seen.id, 60)
        events = [event for event in found if is_telling(event.kind, event.detail)][:30]
        if self._activity.is_deleted:
            return
        self._activity.clear()
        with self._activity:
            for event in events:
                with element("li"):
                    text("span", happened(self.words, event.kind, event.detail))
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
