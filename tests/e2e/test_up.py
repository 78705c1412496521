"""`semo up` as a person meets it: one office on a folder, nothing else touched, Ctrl-C its proper end."""

import signal
from pathlib import Path

from local_supabase.cluster import read_record
from tests.support.running_office import RunningOffice, semo


async def test_one_office_on_a_folder_until_ctrl_c(tmp_path: Path):
    office = await RunningOffice.open(tmp_path / "data")
    try:
        told = await semo("status", "--data", str(office.data))
        assert told.exit_code == 0, told.err
        assert office.status["office_url"] in told.out
        assert " · live · " in told.out or " · polling · " in told.out

        second = await semo("up", "--data", str(office.data), "--port", "0")
        assert second.exit_code != 0
        assert "in use by another process" in second.err
        assert (await semo("status", "--data", str(office.data))).exit_code == 0, "the first one is still open"

        office.process.send_signal(signal.SIGINT)
        assert await office.process.wait() == 0
        assert (await semo("status", "--data", str(office.data))).exit_code == 3
        database = Path(read_record(office.data / "supabase").get("home", office.data / "supabase" / "postgres"))
        assert database.exists(), "all is kept"
    finally:
        await office.close()
    assert not database.exists(), "a test leaves no database behind"


async def test_a_folder_that_is_used_for_something_else_is_left_alone(tmp_path: Path):
    home = tmp_path / "home"
    home.mkdir(mode=0o755)
    (home / "letter.txt").write_text("dear")
    for command in (
        ("up", "--port", "0", "--data"),
        ("client", "join", "7KQ2-M9FD", "--office-url", "http://127.0.0.1:9", "--state"),
    ):
        said = await semo(*command, str(home))
        assert said.exit_code == 2
        assert "used for something else" in said.err
    assert [entry.name for entry in home.iterdir()] == ["letter.txt"]
    assert home.stat().st_mode & 0o777 == 0o755


async def test_a_repository_that_is_not_there_is_not_made(tmp_path: Path):
    said = await semo("up", "--port", "0", "--data", str(tmp_path / "data"), "--repo", str(tmp_path / "typo"))
    assert said.exit_code == 2
    assert not (tmp_path / "typo").exists()


async def test_a_client_that_cannot_start_says_why_in_words(tmp_path: Path):
    said = await semo("client", "start", "--state", str(tmp_path / "client"))
    assert said.exit_code == 2
    assert "has not joined an office" in said.err
    assert "semo client join" in said.err
