"""People at the terminals of a host: their typing is told, and terminals fit into their windows while they look."""

import asyncio
from pathlib import Path

from remote_client.ptyhost.host_terminals import HostTerminals
from remote_client.ptyhost.link import HostLink
from remote_client.terminals import TOUCHED
from tests.integration.ptyhost.terminals import WAIT_SECONDS, Watched, host_of, until

CAT = ("cat",)


async def size_of(watched: Watched) -> tuple[int, int]:
    [info] = [one for one in await watched.terminals.list() if one.session_id == watched.session_id]
    return info.cols, info.rows


async def until_size(watched: Watched, cols: int, rows: int) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while await size_of(watched) != (cols, rows):  # noqa: ASYNC110  the host tells nobody of a size
            await asyncio.sleep(0.02)


async def look(link: HostLink, watched: Watched, cols: int, rows: int) -> None:
    await link.call("view", session_id=str(watched.session_id), cols=cols, rows=rows)


async def test_a_terminal_fits_into_every_window_and_gets_its_own_size_back(
    terminals: HostTerminals, tmp_path: Path
) -> None:
    async with Watched.running(terminals, CAT, tmp_path) as cat:
        ada, bob = await host_of(tmp_path / "host"), await host_of(tmp_path / "host")
        await look(ada, cat, 132, 20)
        assert await size_of(cat) == (132, 20)
        await look(bob, cat, 60, 50)
        assert await size_of(cat) == (60, 20), "what fits into both"
        await terminals.resize(cat.session_id, 100, 30)
        assert await size_of(cat) == (60, 20), "the client's wish waits"
        await ada.close()
        await until_size(cat, 60, 50)
        await bob.close()
        await until_size(cat, 100, 30)


async def test_what_a_person_types_is_told_once_a_second_and_not_in_words(
    terminals: HostTerminals, tmp_path: Path
) -> None:
    async with Watched.running(terminals, CAT, tmp_path) as cat:
        ada = await host_of(tmp_path / "host")
        for letter in b"secret\n":
            await ada.call("write", bytes([letter]), session_id=str(cat.session_id), by="ada")
        await cat.until_shown("secret")
        await ada.call("write", b"\x03", session_id=str(cat.session_id), by="ada")
        await until(lambda: len(cat.hooks) == 2, "Ctrl-C is told")

        assert [(one.name, one.body) for one in cat.hooks] == [
            (TOUCHED, {"by": "ada", "keys": ""}),
            (TOUCHED, {"by": "ada", "keys": "\x03"}),
        ]
        assert cat.hooks[0].at == 0, "before anything of it was shown"
        await ada.close()
