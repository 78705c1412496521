"""Takes the pictures of docs/dashboard.md: `make screenshots`. A real office, real sessions, a real browser."""

import asyncio
import tempfile
from pathlib import Path

from tests.support.browser import Tab, chromium
from tests.support.running_office import RunningOffice

_FOLDER = Path("docs/pictures")
_DONE = "echo '[SEMO:DONE]'"
_WORK = {
    "FE": "for part in header list form; do echo \"✓ src/web/$part.tsx builds\"; sleep 0.1; done; echo '4 passed'",
    "BE": "for part in users orders; do echo \"✓ tests/test_$part.py\"; sleep 0.1; done; echo '38 passed in 2.41s'",
}


async def take() -> None:
    _FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        office = await RunningOffice.open(Path(place) / "data", dashboard=True)
        try:
            await _work(office)
            async with chromium() as browser:
                tab = await Tab.open(browser, office)
                await tab.page.set_viewport_size({"width": 1200, "height": 640})
                await tab.sign_in()
                await tab.go("attention")
                await tab.page.locator(".item").first.wait_for()
                await _shoot(tab, "attention")
                await tab.go("sessions?sort=role")
                await tab.page.wait_for_function("document.querySelector('.card pre')?.textContent.includes('passed')")
                await tab.theme("dark")
                await _shoot(tab, "sessions")
                await tab.theme("light")
                await tab.page.locator(".card", has_text="test_").locator("a").click()
                await tab.page.wait_for_function(
                    "document.querySelector('.xterm-rows')?.textContent.includes('passed')"
                )
                await _shoot(tab, "session")
        finally:
            await office.close()


async def _work(office: RunningOffice) -> None:
    for role, text in _WORK.items():
        await office.final(await office.insert("send_prompt", {"role": role, "text": f"{text}; {_DONE}"}))
    await office.final(await office.insert("send_prompt", {"role": "QA", "text": "npm run test:checkout"}))


async def _shoot(tab: Tab, name: str) -> None:
    await tab.page.screenshot(path=_FOLDER / f"{name}.png", animations="disabled")


if __name__ == "__main__":
    asyncio.run(take())
