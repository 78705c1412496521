"""Between the window and the clients' sockets: one thread with an event loop of its own, whose news come as Qt signals.

PySide6-Essentials has no asyncio loop of Qt's. Whatever is awaited happens here, whatever is shown on the other side.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal

from remote_client.control.link import ControlLink
from remote_client.ptyhost.visit import HostSession
from shared.errors import OfficeError, Unavailable

AGAIN_SECONDS = 1.0
GATHER_SECONDS = 0.05
"""How long output is gathered before it is drawn."""
START_SECONDS = 10.0

Then = Callable[[Any, OfficeError | None], None]


class Bridge(QObject):
    """Made and closed in the window's thread, where its signals arrive."""

    news = Signal(str, object)
    """A client's folder, and parts of its snapshot."""
    stands = Signal(str, bool, str)
    """A client's folder, whether it runs, and what is the matter if it cannot be spoken to."""
    screen = Signal(int, object, object)
    """The number of a visit, its terminal's size or None, and what it put out; None: it has ended."""
    _over = Signal(object, object, object)

    def __init__(self, folders: Sequence[Path]) -> None:
        super().__init__()
        self._folders = folders
        self._links: dict[str, ControlLink] = {}
        self._visits: dict[int, HostSession] = {}
        self._visit_numbers = 0
        self._visiting: asyncio.Task[None] | None = None
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop
        self._over.connect(self._call_back, Qt.ConnectionType.QueuedConnection)
        self._thread = threading.Thread(target=self._run, name="sockets", daemon=True)
        self._thread.start()
        self._ready.wait()

    # In the window's thread -------------------------------------------------------------------------------------------

    def ask(self, folder: str, op: str, then: Then | None = None, **details: Any) -> None:
        """Has a client do something; `then` is called here with what came of it."""
        self.do(self._ask(folder, op, details), then)

    def do(self, work: Awaitable[Any], then: Then | None = None) -> None:
        asyncio.run_coroutine_threadsafe(self._do(work, then), self._loop)

    def visit(self, folder: str, session_id: str) -> int:
        """Shows a session's terminal, as `screen`, instead of any other. The number names this visit."""
        self._visit_numbers += 1
        number = self._visit_numbers
        self._loop.call_soon_threadsafe(self._change_visit, number, folder, session_id)
        return number

    def leave(self) -> None:
        """Shows no terminal."""
        self._loop.call_soon_threadsafe(self._change_visit, 0, "", "")

    def type(self, visit: int, data: bytes, then: Then | None = None) -> None:
        self.do(self._type(visit, data), then)

    def close(self) -> None:
        """Returns when all connections are closed."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _call_back(self, then: Then, result: Any, error: OfficeError | None) -> None:
        then(result, error)

    # In the thread of the sockets -------------------------------------------------------------------------------------

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        watching = [asyncio.create_task(self._watch(folder)) for folder in self._folders]
        self._ready.set()
        await self._stop.wait()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in (*watching, *tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _do(self, work: Awaitable[Any], then: Then | None) -> None:
        result, problem = None, None
        try:
            result = await work
        except OfficeError as error:
            problem = error
        except OSError as error:
            problem = OfficeError(str(error))
        if then is not None:
            self._over.emit(then, result, problem)

    async def _ask(self, folder: str, op: str, details: dict[str, Any]) -> Any:
        link = self._links.get(folder)
        if link is None:
            raise Unavailable("the client on this machine does not run")
        return (await link.call(op, **details))[0]

    async def _watch(self, folder: Path) -> None:
        """Tells all that a client tells, and that it is gone; looks for it again until it is back."""
        key = str(folder)
        while True:
            problem = ""
            try:
                link = await ControlLink.open_to(folder)
                if link is not None:
                    self._links[key] = link
                    try:
                        async with aclosing(link.follow()) as followed:
                            async for parts in followed:
                                self.news.emit(key, parts)
                                self.stands.emit(key, True, "")
                    finally:
                        del self._links[key]
                        await link.close()
            except Unavailable:
                pass  # it has ended, which is told below
            except OfficeError as error:
                problem = error.detail
            except OSError as error:
                problem = str(error)
            except (TypeError, KeyError, ValueError) as error:
                problem = f"what the client tells makes no sense to this window: {error!r}"
            self.stands.emit(key, False, problem)
            await asyncio.sleep(AGAIN_SECONDS)

    def _change_visit(self, number: int, folder: str, session_id: str) -> None:
        if self._visiting is not None:
            self._visiting.cancel()
        self._visiting = asyncio.create_task(self._visit(number, folder, session_id)) if number else None

    async def _visit(self, number: int, folder: str, session_id: str) -> None:
        session = None
        try:
            session = await HostSession.find([Path(folder)], session_id)
            if session is None:
                return
            self._visits[number] = session
            await self._show(number, session)
        except (OfficeError, OSError):
            pass  # it has ended: there is nothing more to show
        finally:
            self._visits.pop(number, None)
            if session is not None:
                await session.close()
            self.screen.emit(number, None, None)

    async def _show(self, number: int, session: HostSession) -> None:
        self.screen.emit(number, session.size, b"")
        gathered: list[bytes] = []
        told = asyncio.Event()

        async def gather() -> None:
            async with aclosing(session.output()) as output:
                async for data in output:
                    gathered.append(data)
                    told.set()

        gathering = asyncio.create_task(gather())
        try:
            while not gathering.done() or gathered:
                waiting = asyncio.create_task(told.wait())
                await asyncio.wait({waiting, gathering}, return_when=asyncio.FIRST_COMPLETED)
                waiting.cancel()
                told.clear()
                data = b"".join(gathered)
                gathered.clear()
                if data:
                    self.screen.emit(number, None, data)
                    await asyncio.sleep(GATHER_SECONDS)
            await gathering
        finally:
            gathering.cancel()

    async def _type(self, visit: int, data: bytes) -> bool:
        session = self._visits.get(visit)
        return session is not None and await session.type(data)
