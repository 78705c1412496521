"""What was asked in the last hour: kept over a restart, bounded, and never in the way of the work."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from remote_client.commands import Command, Completion
from remote_client.ledger import MOST_KEPT, TEXT_MAX, Ledger
from shared.ids import Attempt, CommandId, OfficeId
from shared.states import CommandType


def prompt(text: str = "do it") -> Command:
    office = OfficeId(uuid4())
    return Command(CommandId(uuid4()), Attempt(1), office, None, CommandType.SEND_PROMPT, {"text": text}, author="ann")


def test_what_was_asked_and_what_came_of_it_is_there_after_a_restart(tmp_path: Path) -> None:
    ledger, (done, failed, open_) = Ledger(tmp_path / "asked"), (prompt(), prompt("x" * 2000), prompt())
    for command in (done, failed, open_):
        ledger.begins(command)
    ledger.finished(done, Completion(True, {"session_id": "s"}))
    ledger.finished(failed, Completion(False, None, "turn_error", "it failed"))
    ledger.close()
    again = Ledger(tmp_path / "asked")
    found = {entry.command_id: entry for entry in again.last_hour()}
    assert [found[str(one.command_id)].status for one in (done, failed, open_)] == ["done", "failed", "given_back"]
    assert found[str(done.command_id)].session_id == "s"
    assert len(found[str(failed.command_id)].text) == TEXT_MAX + 1
    again.begins(open_)  # taken up by this process
    assert again.of(str(open_.command_id), 1) in again.running()
    again.close()


def test_it_forgets_what_is_older_than_an_hour_and_holds_no_more_than_it_may(tmp_path: Path) -> None:
    now = datetime(2026, 11, 21, 12, tzinfo=UTC)
    ledger = Ledger(tmp_path / "asked", lambda: now)
    old = prompt()
    ledger.begins(old)
    ledger.let_go(old)
    now += timedelta(minutes=61)
    assert ledger.last_hour() == []
    for _ in range(MOST_KEPT + 20):
        ledger.begins(prompt())
    assert len(ledger.last_hour()) == MOST_KEPT
    ledger.close()


def test_a_broken_file_or_a_full_disk_costs_no_work(tmp_path: Path) -> None:
    path = tmp_path / "asked"
    path.write_text('{"command_id": 7}\nnonsense\n{"half')
    ledger = Ledger(path)
    assert ledger.last_hour() == []
    ledger.close()
    nowhere = Ledger(tmp_path / "missing" / "asked")
    nowhere.begins(prompt())
    assert len(nowhere.last_hour()) == 1
