"""`semo attach` on the machine itself: the live terminal in the person's own, which is as it was when they leave."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from remote_client.ptyhost.host_terminals import HostTerminals
from remote_client.ptyhost.visit import HostSession
from remote_client.terminals import TOUCHED
from tests.integration.ptyhost.terminals import Watched, hosted
from tests.support.person import WAIT_SECONDS, Person
from tests.support.running_office import semo

PROMPT = "\x1b[?2004h"
"""Which bash says with each of them."""
BASH = ("bash", "--norc", "--noprofile", "-i")


@pytest_asyncio.fixture
async def terminals(tmp_path: Path) -> AsyncIterator[HostTerminals]:
    async with hosted(tmp_path / "host") as terminals:
        yield terminals


def attach(bash: Watched, folder: Path, *more: str) -> tuple[str, ...]:
    return ("attach", str(bash.session_id), "--state", str(folder), *more)


async def until_size(watched: Watched, cols: int, rows: int) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            [info] = [one for one in await watched.terminals.list() if one.session_id == watched.session_id]
            if (info.cols, info.rows) == (cols, rows):
                return
            await asyncio.sleep(0.02)


async def test_a_person_types_sees_and_leaves_with_their_terminal_as_it_was(
    terminals: HostTerminals, tmp_path: Path
) -> None:
    async with Watched.running(terminals, BASH, tmp_path) as bash:
        await bash.type("echo before-$((40 + 2))\n")
        await bash.until_shown("before-42")
        async with Person.running(*attach(bash, tmp_path)) as person:
            await person.until_shown("before-42")
            assert b"Ctrl-]" in person.shown, "how to leave is said on entering"
            await until_size(bash, 90, 25)
            assert person.modes() != person.modes_before, "raw"

            person.press("echo hello-$((1 + 1))\r")
            await person.until_shown("hello-2")
            person.resize(70, 20)
            await until_size(bash, 70, 20)

            person.press("\x1d")
            assert await person.exit_code() == 0
            assert person.modes() == person.modes_before
            assert b"left session" in person.shown
        await until_size(bash, 80, 24)
        await bash.type("echo alive-$((1 + 2))\n")
        await bash.until_shown("alive-3")
        assert [one.name for one in bash.hooks][:1] == [TOUCHED]


async def test_ctrl_c_goes_to_the_program_and_does_not_end_the_visit(terminals: HostTerminals, tmp_path: Path) -> None:
    async with Watched.running(terminals, BASH, tmp_path) as bash, Person.running(*attach(bash, tmp_path)) as person:
        await person.until_shown("Ctrl-]")
        person.press("sleep 1000\r")
        await person.until_shown("sleep 1000")
        prompts = person.shown.count(PROMPT.encode())
        person.press("\x03")
        await person.until_shown("^C")
        await person.until_shown(PROMPT, prompts + 1)
        person.press("echo status-$?\r")
        await person.until_shown("status-130")


async def test_it_ends_when_the_terminal_ends(terminals: HostTerminals, tmp_path: Path) -> None:
    async with Watched.running(terminals, BASH, tmp_path) as bash, Person.running(*attach(bash, tmp_path)) as person:
        await person.until_shown("Ctrl-]")
        person.press("printf '\\033[?1049h\\033[?25l'; exit 3\r")

        assert await person.exit_code() == 0
        assert b"exited with status 3" in person.shown
        assert person.shown.rfind(b"\x1b[?1049l") > person.shown.rfind(b"\x1b[?1049h"), "back on the main screen"
        assert person.shown.rfind(b"\x1b[?25h") > person.shown.rfind(b"\x1b[?25l"), "with a cursor"
        assert person.modes() == person.modes_before


@pytest.mark.parametrize("put_away", [False, True])
async def test_a_key_that_comes_just_after_the_end_is_no_error(
    terminals: HostTerminals, tmp_path: Path, put_away: bool
) -> None:
    async with Watched.running(terminals, BASH, tmp_path) as bash:
        session = await HostSession.find([tmp_path], str(bash.session_id))
        assert session is not None
        await bash.type("exit 3\n")
        await bash.ended()
        if put_away:
            await terminals.forget(bash.session_id)

        assert not await session.type(b"x")
        await session.fit(60, 20)
        assert await session.ending() == ("its terminal was put away" if put_away else "exited with status 3")
        await session.close()


async def test_read_only_types_nothing_and_resizes_nothing(terminals: HostTerminals, tmp_path: Path) -> None:
    async with Watched.running(terminals, BASH, tmp_path) as bash:
        async with Person.running(*attach(bash, tmp_path, "--read-only")) as person:
            await person.until_shown("read-only")
            person.press("echo typed\r")
            await person.until_shown("\a")
            await bash.type("echo seen-$((1 + 1))\n")
            await person.until_shown("seen-2")
            person.press("\x1d")
            assert await person.exit_code() == 0
        await until_size(bash, 80, 24)
        assert b"typed" not in bash.output
        assert not bash.hooks, "nobody touched it"


async def test_two_people_see_the_same_and_one_who_is_killed_leaves_no_size_behind(
    terminals: HostTerminals, tmp_path: Path
) -> None:
    async with Watched.running(terminals, BASH, tmp_path) as bash, Person.running(*attach(bash, tmp_path)) as ada:
        async with Person.running(*attach(bash, tmp_path), cols=50, rows=40) as bob:
            await until_size(bash, 50, 25)
            ada.press("echo both-$((1 + 1))\r")
            await ada.until_shown("both-2")
            await bob.until_shown("both-2")
        await until_size(bash, 90, 25)


async def test_the_question_of_a_program_is_not_answered_by_the_visitor(
    terminals: HostTerminals, tmp_path: Path
) -> None:
    async with Watched.running(terminals, BASH, tmp_path) as bash, Person.running(*attach(bash, tmp_path)) as person:
        await person.until_shown("Ctrl-]")
        person.press("printf '<\\033[6n\\033]11;?\\007\\033[c>'; echo\r")
        await person.until_shown("<>")


async def test_what_cannot_be_attached_to_is_said_in_words(terminals: HostTerminals, tmp_path: Path) -> None:
    async with Watched.running(terminals, BASH, tmp_path) as bash:
        no_tty = await semo(*attach(bash, tmp_path))
        assert (no_tty.exit_code, "not a terminal" in no_tty.err) == (2, True), no_tty

        await bash.type("exit\n")
        await bash.ended()
        ended = await semo(*attach(bash, tmp_path))
        assert (ended.exit_code, "has ended" in ended.err) == (1, True), ended

        nobody = await semo("attach", "0000dead", "--state", str(tmp_path), "--data", str(tmp_path / "none"))
        assert (nobody.exit_code, "no session 0000dead on this machine" in nobody.err) == (3, True), nobody
