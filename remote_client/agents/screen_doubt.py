"""What a turn is told of the monitor's findings, and what waits: a screen read too early says what is not so."""

import asyncio

from remote_client.agents.adapter import Evidence
from remote_client.agents.agent_turn import AgentTurn
from remote_client.monitor.findings import Finding, FindingKind
from shared.states import TurnOutcome

DOUBT_SECONDS = 5.0
_STANDS = (FindingKind.NEEDS_PERMISSION, FindingKind.WAITING_INPUT, FindingKind.PAUSED)


class Doubt:
    """`hooked`: the agent's own hooks tell that a prompt arrived and how its turn ended."""

    def __init__(self, hooked: bool) -> None:
        self._hooked = hooked
        self._stands = False
        self._timer: asyncio.TimerHandle | None = None

    def weigh(self, finding: Finding, turn: AgentTurn, *, waits: bool) -> None:
        """Tells the turn what is certain and new. `waits`: a permission request of it waits for an answer."""
        kind = finding.kind
        if kind in (FindingKind.TURN_STARTED, FindingKind.TURN_ENDED):
            self._drop()
        if kind is FindingKind.TURN_STARTED:
            # That we typed says nothing: the agent itself has to.
            if not self._hooked and any(one["kind"] != "typed" for one in finding.evidence):
                turn.take(finding)
        elif kind is FindingKind.TURN_ENDED and self._is_doubtful(finding):
            self._timer = asyncio.get_running_loop().call_later(DOUBT_SECONDS, _believe, finding, turn)
        elif kind is FindingKind.GOES_ON:
            # The title may go on turning while a request waits, and tells the same again when it waits no longer.
            if self._stands and not waits:
                self._stands = False
                turn.take(finding)
        else:
            self._stands = self._stands or kind in _STANDS
            turn.take(finding)

    def _is_doubtful(self, finding: Finding) -> bool:
        """Who has hooks tells its end by them: what the screen alone says may be a moment too early."""
        if not self._hooked or finding.outcome is TurnOutcome.ERROR or finding.evidence[-1]["kind"] in ("hook", "exit"):
            return False
        return not any(_tells_end(one) for one in finding.evidence)

    def _drop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def without_painted_markers(evidence: list[Evidence]) -> list[Evidence]:
    """Without those that are in the bytes alone: whoever has a screen paints again what was said before."""
    return [one for one in evidence if one["kind"] != "marker" or one.get("in") != "output"]


def _tells_end(evidence: Evidence) -> bool:
    """A hook that speaks of the end of a turn, though the screen may have been asked for the verdict."""
    return evidence["kind"] == "hook" and (
        evidence.get("says") == "interrupted" or evidence.get("notification") == "idle_prompt"
    )


def _believe(finding: Finding, turn: AgentTurn) -> None:
    """Nothing has come meanwhile that says otherwise. Without its prompt it was not about this turn at all."""
    if turn.confirmed.is_set():
        turn.take(finding)
