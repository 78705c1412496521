"""Says to people how a turn ended that did not end well. Decides nothing."""

from remote_client.agents.adapter import Evidence, TurnEnd
from shared.states import TurnOutcome


def in_words(ended: TurnEnd) -> str:
    """One line, with the words of the agent or of its service where it gave any."""
    last = ended.evidence[-1] if ended.evidence else {}
    exited = next((one for one in ended.evidence if one["kind"] == "exit"), None)
    if ended.outcome is TurnOutcome.INTERRUPTED:
        timed_out = any(one["kind"] == "timeout" for one in ended.evidence)
        return "the time for the prompt ran out; it was interrupted" if timed_out else "the prompt was interrupted"
    if exited is not None:
        return f"the agent ended ({_end_of(exited)}) without saying that it is done"
    if ended.outcome is TurnOutcome.LOST:
        return "it was typed, and nothing shows that the agent took it"
    if last.get("prompt") == "continuation":
        return "the agent waits for the rest of an unfinished prompt"
    if ended.outcome is not TurnOutcome.ERROR:
        return "it stopped and did not say that it is done"
    if said := next((words for name in ("message", "text", "error") if (words := _last_said(ended, name))), None):
        return f"the agent failed: {said}"
    return f"it failed with status {last['status']}" if "status" in last else "the agent failed and did not say why"


def _last_said(ended: TurnEnd, name: str) -> str | None:
    return next((str(one[name]) for one in reversed(ended.evidence) if one.get(name)), None)


def _end_of(evidence: Evidence) -> str:
    return f"signal {evidence['signal']}" if evidence.get("signal") else f"status {evidence.get('status')}"
