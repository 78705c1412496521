"""`semo attach`: gives a person the live terminal of a session, on this machine or through the office."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Protocol

from remote_client.ptyhost.visit import HostSession
from semo import console
from semo.attach_office import OfficeSession
from semo.attach_window import Window
from semo.office_api import OfficeApi
from semo.problems import Exit, SemoError
from shared.errors import OfficeError

_BELL = b"\a"


class Attachable(Protocol):
    """A session's terminal, wherever it is."""

    is_here: bool
    gather_seconds: float
    """How long to wait for more keys, so that they travel together."""

    @property
    def name(self) -> str: ...

    def require_alive(self) -> None: ...

    def output(self) -> AsyncGenerator[bytes]: ...

    async def type(self, data: bytes) -> bool: ...

    async def fit(self, cols: int, rows: int) -> None: ...

    async def ending(self) -> str: ...

    async def close(self) -> None: ...


async def attach_here(states: Sequence[Path], name: str, *, read_only: bool) -> Exit | None:
    """Attaches to a session of a client on this machine; None when there is no such session here.

    Raises:
        SemoError: it has ended, or this is no terminal.
    """
    with _in_words():
        session = await HostSession.find(states, name)
        return await _attach(session, read_only=read_only) if session is not None else None


async def attach_through_office(api: OfficeApi, name: str, *, read_only: bool) -> Exit:
    """
    Raises:
        SemoError: there is no such session, it has ended, its machine is offline, or the role does not allow it.
    """
    return await _attach(await OfficeSession.find(api, name), read_only=read_only)


async def _attach(session: Attachable, *, read_only: bool) -> Exit:
    try:
        session.require_alive()
        window = Window.of_this_command()
        if not read_only and not session.is_here:
            await _require_operator(session, window)
        with window.lent():
            how = ", read-only" if read_only else ""
            await window.show(f"✔ attached to {session.name}{how}\r\n  Ctrl-] leaves it; it goes on\r\n".encode())
            ended = await _until_left(session, window, read_only=read_only)
        if ended:
            console.step(f"{session.name} has ended: {await session.ending()}")
        else:
            console.step(f"left {session.name}; it goes on")
        return Exit.DONE
    finally:
        await session.close()


async def _require_operator(session: Attachable, window: Window) -> None:
    """Asks for something that changes the terminal, which is refused at once when the role does not allow it."""
    try:
        await session.fit(*window.size)
    except SemoError as error:
        if error.exit_code is Exit.REFUSED:
            error.do = "to watch it, the role viewer is enough: semo attach --read-only"
        raise


async def _until_left(session: Attachable, window: Window, *, read_only: bool) -> bool:
    """Returns whether the terminal has ended; otherwise the person has left."""
    shown = asyncio.Event()
    showing = asyncio.create_task(_show(session, window, shown))
    tasks = {showing, asyncio.create_task(_type(session, window, read_only=read_only))}
    if not read_only:
        tasks.add(asyncio.create_task(_fit(session, window, shown)))
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        return showing in done
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _show(session: Attachable, window: Window, shown: asyncio.Event) -> None:
    async with aclosing(session.output()) as output:
        async for data in output:
            await window.show(data)
            shown.set()


async def _fit(session: Attachable, window: Window, shown: asyncio.Event) -> None:
    """What was put out for another size comes first, so that the program's new picture is the last word."""
    await shown.wait()
    while True:
        window.resized.clear()
        await session.fit(*window.size)
        await window.resized.wait()


async def _type(session: Attachable, window: Window, *, read_only: bool) -> None:
    """Returns when the person leaves."""
    while (keys := await window.keys.get()) is not None:
        await asyncio.sleep(session.gather_seconds)
        while not window.keys.empty():
            more = window.keys.get_nowait()
            if more is None:
                window.keys.put_nowait(None)
                break
            keys += more
        if read_only or not await session.type(keys):
            await window.show(_BELL)


@contextlib.contextmanager
def _in_words() -> Generator[None]:
    try:
        yield
    except OfficeError as error:
        raise SemoError(error.detail, do=error.advice or "") from error
