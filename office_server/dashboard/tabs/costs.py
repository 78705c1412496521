"""What the session has cost, and how long it worked, turn by turn. What an agent does not tell is not made up."""

from office_server.dashboard.bits import Ago, element, empty, seconds_in_words, text
from office_server.dashboard.tabs.base import Tab


class Costs(Tab):
    async def build(self) -> None:
        words = self.words
        turns = await self.visit.services.backend.pages.turns(self.seen.id)
        if not turns:
            empty(words("history.none"), words("history.none_hint"))
            return
        costs = [turn.cost_usd for turn in turns if turn.cost_usd is not None]
        worked = sum(turn.duration_s or 0 for turn in turns)
        with element("div", "numbers"):
            for name, value in (
                ("total", f"${sum(costs):.2f}" if costs else words("costs.untold")),
                ("each", f"${sum(costs) / len(costs):.2f}" if costs else "–"),
                ("worked", seconds_in_words(worked)),
                ("turns", str(len(turns))),
            ):
                with element("div", "sheet number"):
                    text("span", value, "value")
                    text("span", words(f"costs.{name}"), "quiet")
        most = max(costs, default=0)
        with element("div", "sheet scroll", tabindex="0"), element("table", "table"):
            with element("thead"), element("tr"):
                for column in ("when", "worked", "cost"):
                    text("th", words(f"costs.{column}"), scope="col")
            with element("tbody"):
                for turn in turns:
                    with element("tr"):
                        with element("td"):
                            Ago(turn.started_at)
                        text("td", seconds_in_words(turn.duration_s) if turn.duration_s is not None else "–")
                        with element("td"):
                            if turn.cost_usd is None:
                                text("span", words("costs.untold"), "quiet")
                            else:
                                text("span", f"${turn.cost_usd:.3f}")
                                share = 100 * turn.cost_usd / most if most else 0
                                element("div", "measure", aria_hidden="true").style(f"--share: {share:.0f}%")
