"""What aider writes down decides whether it said the marker: not its screen, an earlier turn or the prompt."""

from pathlib import Path

import pytest

from remote_client.agents.aider_history import AiderHistory, answer_in
from remote_client.monitor.findings import Evidence, Finding, FindingKind
from shared.ids import ByteOffset
from shared.states import TurnOutcome

DONE = "[SEMO:DONE]"
BEFORE = f"\n#### first  \n\nAll good.\n{DONE}\n\n> Tokens: 634 sent, 9 received.  \n"


def by_screen(outcome: TurnOutcome = TurnOutcome.DONE) -> Finding:
    """As the monitor finds it when the prompt stands there again and the bytes hold the marker."""
    evidence: list[Evidence] = [{"kind": "marker", "in": "output"}, {"kind": "screen", "says": "prompt"}]
    return Finding(FindingKind.TURN_ENDED, ByteOffset(9), 1.0, evidence, outcome=outcome, marker=True)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "chat.md").write_text(BEFORE)
    return tmp_path / "chat.md"


def test_the_answer_is_neither_the_prompt_nor_a_note():
    written = f"\n#### end with  \n#### {DONE}  \n\nI will not.\n\n> {DONE}  \n>  \n> Tokens: 4  \n"
    assert answer_in(written).words == "I will not."


async def test_a_turn_is_done_when_the_model_said_the_marker_in_it(path: Path):
    history = AiderHistory(path)
    history.begin_turn()
    with path.open("a") as file:
        file.write(
            f"\n#### next  \n\nDone, too.\n{DONE}\n\n> Tokens: 4 sent  \n> new.txt  \n> Applied edit to new.txt  \n"
        )
    ended = await history.judge(by_screen(TurnOutcome.WAITING_INPUT))
    assert (ended.outcome, ended.marker) == (TurnOutcome.DONE, True)
    assert ended.evidence[-1] == {"kind": "marker", "name": "done", "in": "history"}


@pytest.mark.parametrize("written", ["", f"\n#### end with {DONE}  \n\nNot yet.\n\n", f"\n#### next  \n> {DONE}  \n"])
async def test_a_marker_of_an_earlier_turn_or_of_the_prompt_is_not_said(path: Path, written: str):
    history = AiderHistory(path)
    history.begin_turn()
    with path.open("a") as file:
        file.write(written)
    ended = await history.judge(by_screen())
    assert (ended.outcome, ended.marker) == (TurnOutcome.WAITING_INPUT, False)
    assert [one["kind"] for one in ended.evidence] == ["screen"]


async def test_an_error_of_the_api_is_told_where_the_model_said_nothing(path: Path):
    history = AiderHistory(path)
    history.begin_turn()
    with path.open("a") as file:
        file.write("\n#### next  \n> litellm.AuthenticationError: bad key  \n> Check your API key.  \n")
    ended = await history.judge(by_screen(TurnOutcome.WAITING_INPUT))
    assert (ended.outcome, ended.marker) == (TurnOutcome.ERROR, False)
    assert ended.evidence[-1]["text"] == "litellm.AuthenticationError: bad key"


async def test_who_stops_it_after_it_said_the_marker_has_stopped_it(path: Path):
    history = AiderHistory(path)
    history.begin_turn()
    with path.open("a") as file:
        file.write(f"\n#### next  \n\nI made it.\n{DONE}\n\n> Applied edit to new.txt  \n>  \n> ^C again to exit  \n")
    ended = await history.judge(by_screen())
    assert (ended.outcome, ended.marker) == (TurnOutcome.INTERRUPTED, False)


async def test_a_turn_of_an_earlier_client_begins_with_its_own_prompt(path: Path):
    history = AiderHistory(path)
    history.carry_on("first")
    assert (await history.judge(by_screen())).marker
    history.carry_on("first\nof two lines")
    assert not (await history.judge(by_screen())).marker


async def test_what_is_not_written_down_is_not_done(tmp_path: Path):
    history = AiderHistory(tmp_path / "nothing.md")
    history.begin_turn()
    assert (await history.judge(by_screen())).outcome is TurnOutcome.WAITING_INPUT


async def test_what_a_key_or_an_exit_ended_stays_as_it_is(path: Path):
    history = AiderHistory(path)
    history.carry_on("first")
    evidence: Evidence = {"kind": "exit", "status": 1}
    ended = Finding(FindingKind.TURN_ENDED, ByteOffset(9), 1.0, [evidence], outcome=TurnOutcome.ERROR, marker=False)
    assert await history.judge(ended) is ended
