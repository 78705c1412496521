"""Takes the pictures of docs/dashboard.md: `make screenshots`. A real office, real sessions, a real browser.

What the office is busy with is made up, and done for real by the `shell` agent; the scripts stand below.
"""

import asyncio
import re
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.support.browser import Tab, chromium
from tests.support.picture_office import busy
from tests.support.running_office import RunningOffice

_FOLDER = Path("docs/pictures")
_MOST_BYTES = 150_000
Way = Callable[[Tab], Awaitable[None]]


async def _attention(tab: Tab) -> None:
    await tab.go("attention")
    await tab.page.locator(".item", has_text="Shall links").wait_for()
    await tab.page.locator(".item", has_text="read well").wait_for()


async def _sessions(tab: Tab) -> None:
    await tab.go("sessions?sort=urgency")
    await tab.page.wait_for_function("document.querySelectorAll('.card pre:not(:empty)').length >= 3")


async def _session(tab: Tab) -> None:
    await tab.go("sessions?sort=activity")
    await tab.page.locator(".card", has_text="checkout page").locator("a").click()
    await tab.page.wait_for_function("document.querySelector('.xterm-rows')?.textContent.includes('passed')")


async def _screenshots(tab: Tab) -> None:
    await _session(tab)
    await tab.page.get_by_role("dialog").get_by_role("tab", name="Screenshots").click()
    await tab.page.locator(".shot img").nth(1).wait_for()


async def _quality(tab: Tab) -> None:
    await _session(tab)
    await tab.page.get_by_role("dialog").get_by_role("tab", name="Quality").click()
    await tab.press("Look at the worktree", "[role=dialog]")
    await tab.page.locator(".diff .add").first.wait_for()
    await tab.page.locator(".diff-of").scroll_into_view_if_needed()


async def _plan(tab: Tab) -> None:
    await tab.go("plans")
    await tab.page.locator(".plan a", has_text="checkout").click()
    await tab.page.locator(".job .is-running").first.wait_for()


async def _graph(tab: Tab) -> None:
    await tab.go("plans")
    await tab.page.locator(".plan a", has_text="release").click()
    await tab.press("Graph")
    await tab.page.locator(".graph .node").first.wait_for()


async def _board(tab: Tab) -> None:
    await tab.go("spec_tasks")
    await tab.page.locator(".spec").nth(2).wait_for()


async def _documents(tab: Tab) -> None:
    await tab.go("spec_tasks?task=sign-in-by-e-mail")
    await tab.page.locator(".line.new").first.wait_for()


async def _work(tab: Tab) -> None:
    await tab.go("spec_tasks?task=export-of-orders")
    await tab.page.locator(".tree .tree .work").first.wait_for()
    await tab.page.locator(".tree").first.scroll_into_view_if_needed()


def _page(name: str, shown: str) -> Way:
    async def way(tab: Tab) -> None:
        await tab.go(name)
        await tab.page.locator(shown).first.wait_for()

    return way


_PICTURES: dict[str, tuple[Way, str]] = {
    "attention": (_attention, "light"), "sessions": (_sessions, "dark"), "session": (_session, "light"),
    "screenshots": (_screenshots, "light"), "quality": (_quality, "light"),
    "execute": (_page("execute", "main pre:not(:empty)"), "light"),
    "plan": (_plan, "light"), "plan-graph": (_graph, "dark"),
    "spec-tasks": (_board, "light"), "spec-documents": (_documents, "light"), "spec-work": (_work, "dark"),
    "machines": (_page("machines", ".card"), "light"), "commands": (_page("commands", "td"), "light"),
    "costs": (_page("costs", "main .sheet"), "light"),
}  # fmt: skip
"""Each with the way to it, and its theme."""


async def take(wanted: list[str]) -> None:
    _FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        office = await RunningOffice.open(Path(place) / "data", dashboard=True)
        try:
            await busy(office)
            async with chromium() as browser:
                tab = await Tab.open(browser, office)
                await tab.page.set_viewport_size({"width": 1280, "height": 720})
                await tab.sign_in()
                for name, (way, theme) in _PICTURES.items():
                    if not wanted or name in wanted:
                        await _shoot(tab, name, way, theme)
                if tab.complaints:
                    raise SystemExit(f"the browser complains: {tab.complaints}")
        finally:
            await office.close()


async def _shoot(tab: Tab, name: str, way: Way, theme: str) -> None:
    await tab.theme(theme)
    await way(tab)
    await tab.page.wait_for_function("[...document.images].every((one) => one.complete)")
    await tab.page.evaluate("document.fonts.ready")
    path = _FOLDER / f"{name}.png"
    await tab.page.screenshot(path=path, animations="disabled")
    size = path.stat().st_size
    print(f"{path}  {size / 1000:.0f} KB" + ("  (too large)" if size > _MOST_BYTES else ""))  # noqa: T201


if __name__ == "__main__":
    asyncio.run(take([name for name in sys.argv[1:] if re.fullmatch(r"[a-z-]+", name)]))
