"""The command line as a newcomer meets it: everything has a place in the help, and says in a sentence what it does."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

import semo.cli
from semo.cli import app


def commands(group: typer.Typer) -> Iterator[str]:
    """Every command of it, as it is typed."""
    for command in group.registered_commands:
        assert command.callback is not None
        yield command.name or command.callback.__name__
    for below in group.registered_groups:
        assert below.typer_instance is not None
        name = below.name or below.typer_instance.info.name
        yield from (f"{name} {command}" for command in commands(below.typer_instance))


EVERY = sorted(commands(app))


def help_of(command: str) -> str:
    done = CliRunner().invoke(app, [*command.split(), "--help"], env={"COLUMNS": "80", "TERM": "dumb"})
    assert done.exit_code == 0, done.output
    return done.output


def test_what_the_design_promises_can_be_typed():
    assert set(EVERY) >= {
        "up", "demo", "status", "run", "doctor", "attach", "recordings", "client join", "client start", "server start",
        "server init",
        "clients list", "clients invite", "clients drain", "clients revoke", "command show",
        "command cancel", "monitor replay", "worktree list",
    }  # fmt: skip


def test_the_first_help_fits_on_one_screen_and_shows_how_to_begin():
    shown = help_of("")
    assert len(shown.splitlines()) <= 45
    assert "semo up" in shown
    assert "[SEMO:DONE]" in shown


@pytest.mark.parametrize("command", EVERY)
def test_each_command_says_what_it_does_within_eighty_columns(command: str):
    lines = help_of(command).splitlines()
    said = [line.strip() for line in lines if line.strip()][1]
    assert said[0].isupper()
    assert max(map(len, lines)) <= 80


def test_each_file_of_the_command_line_names_the_commands_that_are_in_it():
    folder = Path(semo.cli.__file__).parent
    named = "".join(path.read_text().partition('"""\n')[0] for path in folder.glob("*.py") if path.stem != "__init__")
    assert all(f"`semo {command}`" in named for command in EVERY if " " not in command)
    for command in EVERY:
        group = command.partition(" ")[0]
        assert " " not in command or f"`semo {group}`" in (folder / f"{group}.py").read_text()
