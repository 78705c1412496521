"""What people wait for in the office's pages: the first page, their own keys, and the tails of fifty sessions.

A real browser on a real office, beside an empty page of the same server, a bare terminal and a bare websocket.
"""

import asyncio
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import psycopg
from playwright.async_api import Browser, Page, ViewportSize
from ptyprocess import PtyProcess  # pyright: ignore[reportMissingTypeStubs]  it has none
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from benchmarks.figures import Figure
from tests.support.browser import Tab, chromium
from tests.support.running_office import RunningOffice

KEYS, PRESSED_EVERY_SECONDS = 100, 0.12  # as somebody does who types fast
OPENED = 10
SESSIONS, BROWSERS, TICK_SECONDS, WATCHED_SECONDS = 50, 10, 0.2, 20
ALL_IN_SIGHT: ViewportSize = {"width": 2560, "height": 3500}
_WATCH_KEYS = """() => {
  const terminal = getElement(document.querySelector('.terminal').id.slice(1)).terminal;
  let pressed = 0;
  window.echoes = [];
  const keys = document.querySelector('.xterm-helper-textarea');
  keys.addEventListener('keydown', () => { pressed = performance.now(); }, true);
  terminal.onWriteParsed(() => { if (pressed) { window.echoes.push(performance.now() - pressed); pressed = 0; } });
}"""
_WATCH_TAILS = """() => {
  window.ages = [];
  const look = () => {
    for (const tail of document.querySelectorAll('.card pre')) {
      const said = tail.textContent.trim().split(/\\s+/).pop();
      if (said > 1e12 && said !== tail.lastSaid) { tail.lastSaid = said; window.ages.push(Date.now() - said); }
    }
  };
  new MutationObserver(look).observe(document.body, { childList: true, characterData: true, subtree: true });
}"""


async def pages() -> AsyncIterator[Figure]:
    """Yields `page_usable_ms`, `keystroke_echo_ms` and `tail_age_ms`."""
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="semo-bench-"))
    try:
        office = await RunningOffice.open(folder / "data", dashboard=True)
        try:
            async with chromium() as browser:
                yield await _opening(browser, office)
                yield await _keys(browser, office)
                yield await _tails(browser, office)
        finally:
            await office.close()
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


# The first page -------------------------------------------------------------------------------------------------------


async def _opening(browser: Browser, office: RunningOffice) -> Figure:
    """From an address that is typed to a page that says it is live, by browsers that have never been there."""
    _say("opening pages")
    signed_in = await Tab.open(browser, office)
    await signed_in.sign_in()
    state = await signed_in.page.context.storage_state()
    await signed_in.page.context.close()
    usable: list[float] = []
    empty: list[float] = []
    for _ in range(OPENED):
        context = await browser.new_context(storage_state=state)
        tab = Tab(await context.new_page(), office)
        empty.append(await _timed(tab.page.goto(f"{office.status['office_url']}/healthz")))
        usable.append(await _timed(tab.go("sessions")))
        await context.close()
    floor = Figure("", empty)
    return Figure("page_usable_ms", usable, {"empty_page_p50": round(floor.percentile(50), 1)})


# Keys -----------------------------------------------------------------------------------------------------------------


async def _keys(browser: Browser, office: RunningOffice) -> Figure:
    """From a key that is pressed in a taken-over terminal to its echo in the same terminal."""
    _say("typing into a terminal")
    session = (await office.final(await office.insert("create_session", {"role": "BE"})))["session_id"]
    tab = await Tab.open(browser, office)
    await tab.sign_in()
    await tab.go(f"sessions?session={session}")
    await tab.press("Take over", "[role=dialog]")
    await tab.page.wait_for_function("document.activeElement.matches('.xterm-helper-textarea')")
    await tab.page.evaluate(_WATCH_KEYS)
    for number in range(KEYS):
        pressed = time.monotonic()
        await tab.page.keyboard.press("x")
        await tab.page.wait_for_function(f"window.echoes.length > {number}", polling=10)
        await asyncio.sleep(max(0.0, pressed + PRESSED_EVERY_SECONDS - time.monotonic()))
    echoes: list[float] = await tab.page.evaluate("window.echoes")
    await tab.page.context.close()
    floor = Figure("", await asyncio.to_thread(_bare_echoes))
    figure = Figure("keystroke_echo_ms", echoes)
    above = round(figure.percentile(95) - floor.percentile(95), 1)
    return Figure(figure.name, echoes, {"bare_pty_p95": round(floor.percentile(95), 2), "above_bare_pty_p95": above})


def _bare_echoes() -> list[float]:
    terminal: Any = PtyProcess.spawn(  # pyright: ignore[reportUnknownMemberType]
        ["bash", "--norc", "-i"], env={**os.environ, "PS1": "$ "}
    )
    samples: list[float] = []
    try:
        while b"$ " not in terminal.read(1024):
            pass
        for _ in range(KEYS):
            pressed = time.perf_counter()
            terminal.write(b"x")
            while b"x" not in terminal.read(1024):
                pass
            samples.append((time.perf_counter() - pressed) * 1000)
    finally:
        terminal.close(force=True)
    return samples


# Fifty tails ----------------------------------------------------------------------------------------------------------


async def _tails(browser: Browser, office: RunningOffice) -> Figure:
    """How old the last line of a card is when it is shown; and what the office server works for it.

    One of the browsers has all sessions in sight, and is told of apart; the others have as many as fit into an ordinary
    window. All of them share the cores of this machine with the office.
    """
    _say(f"{BROWSERS} browsers look at {SESSIONS} sessions")
    tabs = [await Tab.open(browser, office) for _ in range(BROWSERS)]
    await tabs[0].page.set_viewport_size(ALL_IN_SIGHT)
    async with await psycopg.AsyncConnection.connect(office.status["db_url"], autocommit=True) as database:
        machine = _Machine(database, office.status["office_id"])
        await machine.open_sessions()
        for tab in tabs:
            await tab.sign_in()
            await tab.go("sessions")
        ordinary, all_in_sight = tabs[1].page, tabs[0].page
        for page in (ordinary, all_in_sight):
            await _watch(page)
        server = _server_of(office)
        before, began = sum(server.cpu_times()[:2]), time.monotonic()
        while time.monotonic() < began + WATCHED_SECONDS:
            tick = time.monotonic()
            await machine.report()
            await asyncio.sleep(max(0.0, tick + TICK_SECONDS - time.monotonic()))
        share = (sum(server.cpu_times()[:2]) - before) / (time.monotonic() - began)
    ages: list[float] = await ordinary.evaluate("window.ages")
    of_all = Figure("", await all_in_sight.evaluate("window.ages"))
    for tab in tabs:
        await tab.page.context.close()
    facts: dict[str, Any] = {
        "sessions": SESSIONS, "browsers": BROWSERS, "per_second": 1 / TICK_SECONDS,
        "server_of_one_core": round(share, 3), "all_in_sight_p50": round(of_all.percentile(50), 1),
        "bare_websocket_p50": round(await _bare_websocket(), 2),
    }  # fmt: skip
    return Figure("tail_age_ms", ages, facts)


async def _watch(page: Page) -> None:
    await page.locator(".card pre").first.wait_for()
    await page.evaluate(_WATCH_TAILS)


class _Machine:
    """A client in the tables alone: what is measured is the office."""

    def __init__(self, database: psycopg.AsyncConnection[Any], office: str) -> None:
        self._database = database
        self._office = office
        self._client = str(uuid4())
        self._epoch = 0
        self._ends = {str(uuid4()): 0 for _ in range(SESSIONS)}

    async def open_sessions(self) -> None:
        await self._database.execute("insert into remote_clients (id, name) values (%s, 'bench')", (self._client,))
        await self._database.execute(
            "insert into client_offices (client_id, office_id) values (%s, %s)", (self._client, self._office)
        )
        able = json.dumps({"agents": {"shell": "5"}, "default_agent": "shell"})
        cursor = await self._database.execute(
            "select register_client(%s, %s, %s, 'bench') ->> 'epoch'", (self._client, able, SESSIONS)
        )
        [self._epoch] = await cursor.fetchone() or [0]
        for session in self._ends:
            await self._own("open_session", session, self._office, "BE", "shell", "cold", None, None)
            await self._own("update_session", session, "ready", "{}")

    async def report(self) -> None:
        text = f"{time.time() * 1000:.0f}\r\n"
        chunks = [
            {"session_id": session, "start": end, "end": end + len(text), "text": text}
            for session, end in self._ends.items()
        ]
        await self._own("append_output", json.dumps(chunks))
        self._ends = {session: end + len(text) for session, end in self._ends.items()}

    async def _own(self, function: str, *arguments: Any) -> None:
        places = ", ".join(["%s"] * (2 + len(arguments)))
        await self._database.execute(f"select {function}({places})".encode(), (self._client, self._epoch, *arguments))


def _server_of(office: RunningOffice) -> psutil.Process:
    """The process that serves the pages."""
    port = int(str(office.status["office_url"]).rpartition(":")[2])
    for process in psutil.Process(office.process.pid).children(recursive=True):
        if any(one.status == psutil.CONN_LISTEN and one.laddr.port == port for one in process.net_connections()):
            return process
    raise RuntimeError("no process of the office listens for its pages")


async def _bare_websocket() -> float:
    """The median of a message there and back, in milliseconds."""

    async def echo(socket: ServerConnection) -> None:
        async for message in socket:
            await socket.send(message)

    async with serve(echo, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with connect(f"ws://127.0.0.1:{port}") as socket:
            samples = [await _timed(_there_and_back(socket)) for _ in range(200)]
    return Figure("", samples).percentile(50)


async def _there_and_back(socket: Any) -> None:
    await socket.send("x")
    await socket.recv()


async def _timed(what: Any) -> float:
    began = time.perf_counter()
    await what
    return (time.perf_counter() - began) * 1000


def _say(text: str) -> None:
    sys.stderr.write(f"  {text}\n")
