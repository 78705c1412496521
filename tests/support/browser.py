"""A headless Chromium that reaches nothing but this machine, and what a person does in it."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, ConsoleMessage, Page, StorageState, async_playwright

from tests.support.running_office import RunningOffice, semo

_ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--disable-quic", "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
]  # fmt: skip
AXE = Path(".tools/agents/node_modules/axe-core/axe.min.js")
_WAIT_MS = 30_000
_PROGRAMS = (Path("/usr/bin/chromium-headless-shell"), Path("/usr/bin/chromium"))
"""The first opens no windows around the pages, which cost more than the pages."""
WIDTHS = (360, 2560, 1280)
THEMES = ("dark", "light")


@dataclass(frozen=True)
class Screen:
    """What somebody has before them; `width` in pixels."""

    width: int
    theme: str

    def __str__(self) -> str:
        return f"{self.width}-{self.theme}"


SCREENS = [Screen(width, theme) for width in WIDTHS for theme in THEMES]
_USUAL = Screen(1280, "light")

_OUT_OF_REACH = """() => {
  const seen = (one) => one.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && one.offsetWidth > 1
  const dialogs = [...document.querySelectorAll("[role=dialog], dialog[open]")].filter(seen)
  const place = dialogs.at(-1) ?? document.querySelector("main") ?? document.body
  const wanted = "a[href], button, input, textarea, summary, [role=tab], [role=button], [role=checkbox]"
  const lost = []
  for (const one of place.querySelectorAll(wanted)) {
    if (one.disabled || !seen(one) || one.matches(".skip")) continue  // that link comes into sight with the focus
    const target = one.closest(".q-field, .q-checkbox, .q-slider") ?? one
    target.scrollIntoView({ block: "center", inline: "center", behavior: "instant" })
    const box = (target === one ? one.getClientRects()[0] : null) ?? target.getBoundingClientRect()
    const x = box.left + box.width / 2, y = box.top + box.height / 2
    const hit = document.elementFromPoint(x, y)
    if (!hit || !(target.contains(hit) || hit.contains(target)) || x < 0 || x > innerWidth)
      lost.push(`${one.outerHTML.slice(0, 120)} below ${hit?.outerHTML.slice(0, 60)}`)
  }
  return lost
}"""
"""What can be pressed or typed into, in the dialog on top or else in the page, and yet is met by no pointer."""


_AT_REST = """() => Promise.all(document.getAnimations()
  .filter((one) => one.effect?.getComputedTiming().endTime !== Infinity)
  .map((one) => one.finished.catch(() => {})))"""
"""What fades in or out is no contrast to judge."""


@asynccontextmanager
async def chromium() -> AsyncGenerator[Browser]:
    async with async_playwright() as playwright:
        program = next((one for one in _PROGRAMS if one.exists()), _PROGRAMS[-1])
        browser = await playwright.chromium.launch(executable_path=program, headless=True, args=_ARGUMENTS)
        try:
            yield browser
        finally:
            await browser.close()


class Tab:
    """One tab in the pages of an office. Keeps what the browser complained of."""

    def __init__(self, page: Page, office: RunningOffice, screen: Screen = _USUAL) -> None:
        self.page = page
        self.screen = screen
        self.office = office
        self.complaints: list[str] = []
        page.set_default_timeout(_WAIT_MS)
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    @classmethod
    async def open(
        cls,
        browser: Browser,
        office: RunningOffice,
        *,
        language: str = "en",
        screen: Screen = _USUAL,
        state: StorageState | None = None,
    ) -> "Tab":
        """`state`: what the browser keeps of somebody who has signed in."""
        context = await browser.new_context(
            viewport={"width": screen.width, "height": 900}, locale=language, reduced_motion="reduce",
            storage_state=state,
        )  # fmt: skip
        tab = cls(await context.new_page(), office, screen)
        await tab.wear(screen.theme)
        return tab

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(message.text)

    async def sign_in(self, secret: str | None = None) -> None:
        await self.page.goto(f"{self.office.status['office_url']}/")
        await self.page.fill("#secret", secret or self.office.status["api_token"])
        await self.page.click("button[type=submit]")
        await self.live()

    async def live(self) -> None:
        """Until the page says that it is."""
        await self.page.wait_for_selector('#fresh[data-state="live"]')

    async def go(self, name: str) -> None:
        await self.page.goto(self.address(name))
        await self.live()

    def address(self, name: str) -> str:
        return f"{self.office.status['office_url']}/dashboard/{self.office.status['office_id']}/{name}"

    async def theme(self, theme: str) -> None:
        await self.page.evaluate(f"window.semo.theme({theme!r})")

    async def wear(self, theme: str) -> None:
        """As if it had been chosen in an earlier visit."""
        await self.page.context.add_cookies(
            [{"name": "semo_theme", "value": theme, "domain": "127.0.0.1", "path": "/dashboard"}]
        )

    async def speak(self, language: str) -> None:
        await self.page.goto(f"{self.office.status['office_url']}/dashboard/language/{language}")

    async def says(self, text: str) -> None:
        """Until the text stands somewhere in sight."""
        await self.page.get_by_text(text).first.wait_for(state="visible")

    async def choose(self, label: str, option: str | int, within: str = "body") -> None:
        """In a field that offers; until what it offered is gone again, which would lie over other things.

        Args:
            option: what it says, or which one it is from 0.
        """
        await self.page.locator(within).get_by_label(label).first.click()
        offered = self.page.get_by_role("option")
        await (offered.nth(option) if isinstance(option, int) else offered.filter(has_text=option).first).click()
        await self.page.locator(".q-menu").first.wait_for(state="detached")

    async def menu(self, item: str) -> None:
        """Of the account and how the pages look."""
        await self.page.get_by_role("button", name="Account and appearance").click()
        await self.page.locator(".q-menu .q-item", has_text=item).click()

    async def press(self, name: str, within: str = "body") -> None:
        await self.page.locator(within).get_by_role("button", name=name).first.click()

    async def copies(self, what: str) -> None:
        """The dialog's button that copies puts it where it can be pasted, and says so."""
        await self.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        await self.press("Copy", "[role=dialog]")
        await self.page.get_by_role("button", name="Copied").wait_for()
        pasted = await self.page.evaluate("navigator.clipboard.readText()")
        assert what in pasted, pasted

    async def violations(self) -> list[str]:
        """What axe finds that is serious or worse."""
        if not await self.page.evaluate("'axe' in window"):
            await self.page.evaluate(AXE.read_text())
        await self.page.evaluate(_AT_REST)
        found: dict[str, Any] = await self.page.evaluate(
            "axe.run(document, {resultTypes: ['violations'], rules: {'color-contrast': {enabled: true}}})"
        )
        return [
            f"{one['impact']} {one['id']}: {one['nodes'][0]['html'][:160]}"
            for one in found["violations"]
            if one["impact"] in ("serious", "critical")
        ]

    async def fits(self) -> None:
        """At every width all can be seen and pressed, and axe has nothing to say, in the dark and in the light."""
        await self.page.wait_for_function("!document.querySelector('.q-notification')")  # axe would measure its fading
        for width in (320, *WIDTHS, 3840):
            await self.page.set_viewport_size({"width": width, "height": 900})
            assert await self.overflow() <= 0, f"{width} px: wider than the window"
            lost = await self.page.evaluate(_OUT_OF_REACH)
            assert lost == [], f"{width} px: out of reach are {lost}"
        for theme in THEMES:
            await self.theme(theme)
            wrong = await self.violations()
            assert wrong == [], f"{theme}: {wrong}"
        await self.page.set_viewport_size({"width": self.screen.width, "height": 900})
        await self.theme(self.screen.theme)

    async def overflow(self) -> int:
        """By how many pixels the page is wider than its window."""
        return int(await self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))


async def sign_in_code(office: RunningOffice) -> str:
    """As `semo dashboard` shows it."""
    said = await semo("dashboard", "--data", str(office.data), "--json")
    return str(said.last_line["code"])
