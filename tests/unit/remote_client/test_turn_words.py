"""What people are told of a turn that did not end well: the agent's own words, wherever they stand in the evidence."""

import pytest

from remote_client.agents.adapter import Evidence, TurnEnd
from remote_client.turn_words import in_words
from shared.ids import ByteOffset
from shared.states import TurnOutcome

REFUSED = "API Error: 429 too many requests"


def said_of(outcome: TurnOutcome, *evidence: Evidence) -> str:
    return in_words(TurnEnd(outcome, False, list(evidence), ByteOffset(0), alive=True))


@pytest.mark.parametrize(
    "evidence",
    [
        {"kind": "transcript", "says": "error", "error": "rate_limit", "status": 429, "message": REFUSED},
        {"kind": "hook", "name": "StopFailure", "error": "rate_limit", "message": REFUSED},
        {"kind": "screen", "says": "error", "text": REFUSED},
    ],
    ids=lambda evidence: evidence["kind"],
)
def test_an_agents_failure_is_told_in_its_own_words(evidence: Evidence) -> None:
    assert said_of(TurnOutcome.ERROR, evidence, {"kind": "bell"}) == f"the agent failed: {REFUSED}"


def test_without_words_the_kind_of_failure_is_told() -> None:
    evidence: Evidence = {"kind": "hook", "name": "StopFailure", "error": "overloaded"}
    assert said_of(TurnOutcome.ERROR, evidence) == "the agent failed: overloaded"


def test_a_script_fails_with_its_exit_status() -> None:
    assert said_of(TurnOutcome.ERROR, {"kind": "prompt", "status": 2}) == "it failed with status 2"


def test_a_failure_that_nobody_explains_is_told_as_that() -> None:
    assert said_of(TurnOutcome.ERROR, {"kind": "bell"}) == "the agent failed and did not say why"


@pytest.mark.parametrize(
    ("evidence", "words"),
    [
        ({"kind": "exit", "status": 1}, "the agent ended (status 1) without saying that it is done"),
        ({"kind": "exit", "status": None, "signal": 9}, "the agent ended (signal 9) without saying that it is done"),
    ],
)
def test_an_agent_that_is_gone_is_told_with_its_end(evidence: Evidence, words: str) -> None:
    assert said_of(TurnOutcome.ERROR, evidence) == words
