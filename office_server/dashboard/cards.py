"""A session as a card: who, where, what it does, what came of it last, and the last lines of its terminal."""

from office_server.dashboard.bits import Ago, State, element, plain, seconds_in_words, tail, text
from office_server.dashboard.outcomes import in_words, tone_of
from office_server.dashboard.visit import Visit
from office_server.picture_rows import SeenSession


class Card:
    """The whole card leads to the session."""

    def __init__(self, visit: Visit, seen: SeenSession, opened: str) -> None:
        self._words = visit.words
        self.seen: SeenSession | None = None
        self.box = element("article", "sheet card", data_item="", data_session=str(seen.id))
        with self.box:
            with element("div", "top"):
                with text("h2", "", "role"):
                    self.link = text("a", seen.role, href=opened, data_press="o")
                text("span", seen.machine, "where")
                self._state = State(seen.status, "")
            self._doing = text("p", "", "doing")
            self._tool = text("p", "", "tool mono")
            tail(seen.id, visit.words("session.tail"))
            with element("div", "foot"):
                self._outcome = text("span", "", "outcome")
                self._time = text("span", "")
                self._cost = text("span", "")
                self._ago = Ago(seen.last_activity_at)
        self.show(seen)

    def show(self, seen: SeenSession) -> None:
        if seen == self.seen:
            return
        words = self._words
        self.seen = seen
        self._state.become(seen.status, words.of("status", seen.status))
        self._doing.show(plain(doing(seen)))
        self._tool.show(using(seen))
        self._tool.set_visibility(seen.tool is not None)
        turn = seen.turn
        if turn is not None and turn.outcome is not None:
            self._outcome.show(in_words(turn.outcome, turn.evidence, words))
            self._outcome.classes(replace=f"outcome {tone_of(turn.outcome)}")
        else:
            self._outcome.show("")
        self._time.show(seconds_in_words(turn.duration_s) if turn is not None and turn.duration_s is not None else "")
        self._cost.show(f"${seen.cost_usd:.2f}" if seen.cost_usd else "")
        self._ago.show(turn.started_at if turn is not None and turn.ended_at is None else seen.last_activity_at)


def using(seen: SeenSession) -> str:
    """The tool that its agent uses now, and for what."""
    return plain(f"{seen.tool.tool} {seen.tool.what}".strip()) if seen.tool is not None else ""


def doing(seen: SeenSession) -> str:
    """What it works on, or did last."""
    return seen.prompt or seen.task or ""
