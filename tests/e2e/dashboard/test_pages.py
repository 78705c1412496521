"""What holds on every page: signing in, keys, language, theme, what fits, and what is said when nothing comes."""

import os
import re
import signal
from uuid import uuid4

import pytest
from playwright.async_api import Browser

from tests.support.browser import Tab, sign_in_code
from tests.support.running_office import RunningOffice

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]
DONE = "echo '[SEMO:DONE]'"
PAGES = (
    "attention", "sessions", "execute", "machines", "pool", "commands", "costs", "settings", "plans", "spec_tasks",
)  # fmt: skip


@pytest.mark.once
async def test_a_new_office_says_the_next_step_and_runs_the_first_prompt(tab: Tab, office: RunningOffice):
    await tab.go("attention")
    await tab.says("A machine has joined and is online.")
    await tab.fits()
    await tab.press("Send a harmless one")
    await tab.page.wait_for_url(re.compile("/sessions"))
    await tab.page.locator(".card .outcome.good").first.wait_for()


async def test_a_code_signs_one_browser_in_once(browser: Browser, office: RunningOffice):
    code = await sign_in_code(office)
    first, second = await Tab.open(browser, office), await Tab.open(browser, office)
    await first.sign_in(code)
    assert code not in first.page.url
    [cookie] = [one for one in await first.page.context.cookies() if one.get("name") == "semo_sign_in"]
    assert (cookie.get("httpOnly"), cookie.get("sameSite")) == (True, "Lax")
    await second.page.goto(f"{office.status['office_url']}/dashboard/")
    await second.page.fill("#secret", code)
    await second.page.click("button[type=submit]")
    await second.says("That is not valid")
    await first.menu("Sign out")
    await first.page.wait_for_url(re.compile("sign-in"))
    await first.page.goto(first.address("sessions"))
    await first.page.wait_for_url(re.compile("sign-in"))


async def test_what_failed_waits_for_a_person_and_is_put_away_by_one_key(tab: Tab, office: RunningOffice):
    name = f"/nowhere/{uuid4().hex[:8]}"
    await office.run(f"ls {name}", "QA")
    await tab.go("attention")
    item = tab.page.locator(".item", has_text=name)
    await item.wait_for()
    assert await tab.page.locator('[data-go="a"] .count').inner_text()
    await item.focus()
    await tab.page.keyboard.press("x")
    await item.wait_for(state="detached")
    assert await office.rows("attention_dismissed", by="token:first")


async def test_what_failed_is_asked_again_by_one_key(tab: Tab, office: RunningOffice):
    text = f"ls /nowhere/{uuid4().hex[:8]}"
    await office.run(text, "QA")
    await tab.go("attention")
    await tab.page.locator(".item", has_text=text).focus()
    await tab.page.keyboard.press("r")
    await tab.says("On its way")
    rows = await office.rows("agent_commands", payload=f'{{"role": "QA", "text": "{text}"}}')
    assert sorted(str(row["author"]) for row in rows) == ["service_role", "token:first"]


async def test_a_command_shows_its_receipts_and_result(tab: Tab, office: RunningOffice):
    word = uuid4().hex[:8]
    await office.run(f"echo {word}; {DONE}")
    await tab.go("commands")
    await tab.page.locator("td a", has_text=word).click()
    await tab.page.locator(".command-detail .json", has_text='"outcome": "done"').wait_for()
    assert await tab.page.locator(".steps-of .done").count() >= 4
    assert "command=" in tab.page.url
    await tab.page.get_by_role("link", name="To its session").click()
    await tab.page.locator(".xterm-rows", has_text=word).wait_for()


@pytest.mark.once
@pytest.mark.parametrize("name", PAGES)
async def test_each_page_fits_and_is_accessible_in_light_and_dark(tab: Tab, name: str):
    await tab.go(name)
    assert await tab.page.evaluate("document.documentElement.lang") == "en"
    assert await tab.page.locator("h1").count() == 1
    await tab.fits()


async def test_the_pages_speak_korean(browser: Browser, office: RunningOffice):
    tab = await Tab.open(browser, office, language="ko-KR")
    await tab.sign_in()
    await tab.go("sessions")
    assert await tab.page.evaluate("document.documentElement.lang") == "ko"
    assert await tab.page.locator("h1").inner_text() == "세션"
    assert await tab.violations() == []
    assert tab.complaints == []
    await tab.page.context.close()


async def test_keys_lead_to_pages_and_show_themselves(tab: Tab):
    await tab.go("attention")
    await tab.page.keyboard.press("?")
    await tab.page.locator("#keys[open]").wait_for()
    await tab.page.keyboard.press("Escape")
    await tab.page.keyboard.press("g")
    await tab.page.keyboard.press("s")
    await tab.page.wait_for_url(re.compile("/sessions"))
    await tab.page.locator(".card").nth(1).wait_for()

    # From one item to the next, and what the focused one offers.
    focused = "[...document.querySelectorAll('.card')].findIndex((one) => one.contains(document.activeElement))"
    for key, item in (("j", 0), ("j", 1), ("k", 0)):
        await tab.page.keyboard.press(key)
        assert await tab.page.evaluate(focused) == item
    await tab.page.keyboard.press("o")
    await tab.page.locator(".opened .xterm-rows").wait_for()
    await tab.page.keyboard.press("Escape")


async def test_the_theme_and_the_language_are_chosen_and_kept(tab: Tab):
    await tab.go("machines")
    for theme, other in (("dark", "light"), ("light", "dark")):
        await tab.menu(f"Theme: {theme}")
        await tab.page.locator(f"body.body--{theme}").wait_for()
        await tab.page.reload()
        await tab.live()
        assert await tab.page.locator(f"body.body--{other}").count() == 0
    await tab.menu("한국어")
    await tab.page.locator("h1", has_text="컴퓨터").wait_for()
    await tab.live()
    assert "machines" in tab.page.url
    await tab.page.get_by_role("button", name="계정과 화면 설정").click()
    await tab.page.locator(".q-menu .q-item", has_text="English").click()
    await tab.page.locator("h1", has_text="Machines").wait_for()
    await tab.live()
    await tab.menu("Keyboard")
    await tab.page.locator("#keys[open]").wait_for()


async def test_a_lost_network_and_a_restart_of_the_server_are_said_and_recovered_from(
    browser: Browser, office: RunningOffice
):
    tab = await Tab.open(browser, office)
    await tab.sign_in()
    await tab.go("sessions")
    await tab.page.locator(".card a").first.click()
    await tab.page.locator(".xterm-rows").wait_for()
    opened = tab.page.url
    database = office.pid_of("local_supabase")
    os.kill(database, signal.SIGSTOP)
    try:
        await tab.page.wait_for_selector('#fresh:not([data-state="live"])')
        await tab.says("Last update")
    finally:
        os.kill(database, signal.SIGCONT)
    await tab.live()
    await tab.page.context.set_offline(True)
    server = office.pid_of("office_server")
    os.kill(server, signal.SIGKILL)
    await tab.page.wait_for_selector('#fresh[data-state="away"]')
    await tab.says("No connection to the office")
    await tab.page.context.set_offline(False)
    await tab.live()
    await tab.page.locator(".xterm-rows").wait_for()
    assert tab.page.url == opened
    await tab.page.context.close()
