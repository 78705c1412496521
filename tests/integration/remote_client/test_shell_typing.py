"""What is typed into a real bash arrives as it is, and shows once."""

import getpass
from pathlib import Path

import pytest

from shared.states import TurnOutcome
from tests.integration.remote_client.shells import DONE, Shell

SIGN = "# " if getpass.getuser() == "root" else "$ "


async def test_a_script_shows_once_and_nothing_of_ours_does(shell: Shell) -> None:
    await shell.run("echo one\necho two")
    await shell.run("set -x\necho three")
    await shell.run("if true; then")

    shown = (await shell.put_out()).replace("\r", "")
    assert shown == (
        f"{SIGN}echo one\necho two\none\ntwo\n{SIGN}set -x\necho three\n+ echo three\nthree\n{SIGN}if true; then\n> "
    )


@pytest.mark.parametrize(
    "text",
    [
        "x" * 10_000,
        "a\tb\t\tc",
        "what! a !1 !! bang",
        "öäü 漢字 🙂 e\u0301 \u00a0 \u202e",
        "back\\slash at the end\\",
        '$HOME `date` "quoted" ~ * ? [a] {1,2} # & | ; < > ( )',
    ],
    ids=["long line", "tabs", "exclamation marks", "not ascii", "backslashes", "what shells read"],
)
async def test_a_text_arrives_as_it_is(shell: Shell, tmp_path: Path, text: str) -> None:
    ended = await shell.run(f"printf %s '{text}' > got\n{DONE}")

    assert ended.outcome is TurnOutcome.DONE, ended
    assert (tmp_path / "got").read_text() == text


async def test_a_tab_completes_nothing(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "only-one").touch()

    await shell.run("echo only-o\t> got")

    assert (tmp_path / "got").read_text() == "only-o\n"


async def test_a_script_of_1500_lines_runs_to_its_end(shell: Shell, tmp_path: Path) -> None:
    lines = [f"echo {number} >> got" for number in range(1500)]

    ended = await shell.run("\n".join([*lines, DONE]), timeout_seconds=60)

    assert ended.outcome is TurnOutcome.DONE, ended
    assert (tmp_path / "got").read_text().split() == [str(number) for number in range(1500)]


@pytest.mark.parametrize("line_end", ["\r\n", "\r"])
async def test_any_line_end_ends_a_line(shell: Shell, tmp_path: Path, line_end: str) -> None:
    ended = await shell.run(line_end.join(["cat > got <<EOF", "one", "two", "EOF", DONE, ""]))

    assert ended.outcome is TurnOutcome.DONE, ended
    assert (tmp_path / "got").read_bytes() == b"one\ntwo\n"


@pytest.mark.parametrize("rest", ["echo it's", 'echo "open', "echo `date", "echo on \\", "cat <<EOF", "( echo", "a ||"])
async def test_an_unfinished_script_waits_for_input_and_the_session_stays_of_use(shell: Shell, rest: str) -> None:
    ended = await shell.run(f"echo before\n{rest}")

    assert ended.outcome is TurnOutcome.WAITING_INPUT, ended
    assert ended.evidence[-1]["prompt"] == "continuation"
    assert (await shell.run(DONE)).outcome is TurnOutcome.DONE


async def test_what_the_status_was_is_the_same_for_the_next_command(shell: Shell, tmp_path: Path) -> None:
    await shell.run("(exit 7) | true\necho ${PIPESTATUS[@]} > got\nfalse\necho $? >> got\nfalse")
    await shell.run("echo $? >> got")

    assert (tmp_path / "got").read_text().splitlines() == ["7 0", "1", "1"]
