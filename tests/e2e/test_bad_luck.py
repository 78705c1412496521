"""What a person is told when it cannot work: one clear line, an exit code, and nothing half done."""

import asyncio
import json
import os
import pwd
import socket
import sys
from pathlib import Path

import git
import pytest

from tests.support.running_office import semo


async def test_a_busy_port_is_named_and_nothing_is_started(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = await semo("up", "--data", str(tmp_path / "data"), "--port", str(port))
    assert said.exit_code == 2
    assert f"port {port}" in said.err
    assert "--port" in said.err


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make another user's folder")
async def test_a_data_folder_of_another_user_is_left_alone(tmp_path: Path):
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    nobody = pwd.getpwnam("nobody")
    os.chown(data, nobody.pw_uid, nobody.pw_gid)
    said = await semo("up", "--data", str(data), "--port", "0")
    assert said.exit_code != 0
    assert "belongs to nobody" in said.err
    assert list(data.iterdir()) == []


async def test_a_repository_that_is_none_is_refused_before_anything_starts(tmp_path: Path):
    plain = tmp_path / "plain"
    plain.mkdir()
    said = await semo("up", "--data", str(tmp_path / "data"), "--port", "0", "--repo", str(plain))
    assert said.exit_code == 2
    assert "is not a git repository" in said.err


async def test_a_repository_without_a_commit_is_refused(tmp_path: Path):
    empty = tmp_path / "empty"
    git.Repo.init(empty)
    said = await semo("up", "--data", str(tmp_path / "data"), "--port", "0", "--repo", str(empty))
    assert said.exit_code == 2
    assert "no commit yet" in said.err


@pytest.mark.parametrize("command", [("status", "--json"), ("run", "ls", "--role", "BE"), ("command", "show", "x")])
async def test_without_an_office_every_command_says_how_to_start_one(tmp_path: Path, command: tuple[str, ...]):
    said = await semo(*command, "--data", str(tmp_path / "nothing-here"))
    assert said.exit_code == 3
    assert "semo up" in said.err
    assert said.out == ""


async def test_doctor_finds_this_machine_fit(tmp_path: Path):
    said = await semo("doctor", "--data", str(tmp_path / "data"))
    assert said.exit_code == 0, said.out
    assert "postgresql" in said.out


async def test_doctor_says_what_is_missing(tmp_path: Path):
    said = await semo("doctor", "--data", str(tmp_path / "data"), PATH=str(tmp_path))
    assert said.exit_code == 1
    assert "install git" in said.out
    assert "install bash" in said.out


async def test_a_bad_enrolment_code_is_refused_by_an_office_that_is_away(tmp_path: Path):
    said = await semo(
        "client", "join", "7KQ2-M9FD", "--office-url", "http://127.0.0.1:9", "--state", str(tmp_path / "client")
    )
    assert said.exit_code == 3
    assert "does not answer" in said.err


async def test_a_client_does_not_make_a_home_private_that_was_named_as_its_state_folder(tmp_path: Path):
    home, policy = tmp_path / "home", tmp_path / "policy.toml"
    home.mkdir(mode=0o755)
    (home / "letter.txt").write_text("dear")
    policy.write_text(f'allowed_roots = ["{tmp_path}"]\ndefault_agent = "shell"\n[agents.shell]\n')
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "remote_client", "--ready-line", stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, "SEMO_CLIENT_STATE_DIR": str(home), "SEMO_CLIENT_POLICY_FILE": str(policy)},
    )  # fmt: skip
    said, _ = await process.communicate()
    assert process.returncode == 2
    assert json.loads(said)["error"] == "foreign_folder"
    assert "SEMO_CLIENT_STATE_DIR" in json.loads(said)["do"]
    assert [entry.name for entry in home.iterdir()] == ["letter.txt"]
    assert home.stat().st_mode & 0o777 == 0o755
