"""The page of sessions, and a session that is opened: found, watched, steered, read and ended."""

import asyncio
import base64
import re
from pathlib import Path
from uuid import uuid4

import pytest
from playwright.async_api import expect

from tests.support.browser import Tab
from tests.support.picture_office import drawn
from tests.support.running_office import RunningOffice

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]
DONE = "echo '[SEMO:DONE]'"


async def test_a_session_is_found_opened_steered_and_ended(tab: Tab, office: RunningOffice):
    word = uuid4().hex[:8]
    await office.run(f"echo building {word}; {DONE}", "FE")
    await tab.go("sessions")
    await tab.page.keyboard.press("/")
    await tab.page.wait_for_function("document.activeElement.matches('[data-search] input, input[data-search]')")
    await tab.page.keyboard.type(word)
    card = tab.page.locator(".card", has_text=word)
    await card.wait_for()
    await tab.page.wait_for_function("document.querySelectorAll('.card').length === 1")
    await tab.page.wait_for_function(f"document.querySelector('.card pre').textContent.includes('building {word}')")
    await tab.choose("Which sessions", "Waiting for a person")
    await card.wait_for(state="detached")
    await tab.choose("Which sessions", "All that live")
    await tab.choose("Machine", 1)
    await tab.choose("Order", "Latest activity")
    await tab.page.wait_for_url(re.compile("sort=activity"))
    await card.locator(".foot").click(force=True)  # the whole card leads there, not its name alone
    dialog = tab.page.get_by_role("dialog")
    await tab.page.wait_for_function(f"document.querySelector('.xterm-rows')?.textContent.includes('building {word}')")
    assert "session=" in tab.page.url

    await dialog.get_by_label("Send a prompt to this session").fill(f"echo once more {word}; {DONE}")
    await tab.press("Send", "[role=dialog]")
    await tab.page.wait_for_function(f"document.querySelector('.xterm-rows')?.textContent.includes('once more {word}')")

    await tab.press("Take over", "[role=dialog]")
    await dialog.get_by_role("button", name="Give back").wait_for()
    await tab.page.wait_for_function("document.activeElement.matches('.xterm-helper-textarea')")
    await tab.page.keyboard.type(f"echo by hand {word}\n")
    await tab.page.wait_for_function(
        f"(document.querySelector('.xterm-rows')?.textContent.match(/by hand {word}/g) || []).length >= 2"
    )
    await tab.press("Give back", "[role=dialog]")

    await dialog.get_by_label("Send a prompt to this session").fill(f"echo begun {word}; sleep 600")
    await tab.page.keyboard.press("Enter")
    await tab.page.wait_for_function(f"document.querySelector('.xterm-rows')?.textContent.includes('begun {word}')")
    await tab.page.locator(".opened .state.is-executing").wait_for()
    await tab.press("Interrupt", "[role=dialog]")
    await tab.page.locator(".opened .state.is-ready").wait_for()

    await dialog.get_by_role("tab", name="History").click()
    await dialog.locator(".turn", has_text=f"once more {word}").wait_for()
    await dialog.locator(".turn", has_text=f"begun {word}").get_by_text("Interrupted").wait_for()
    await tab.page.reload()
    await tab.live()
    await tab.page.get_by_role("dialog").locator(".turn", has_text=f"once more {word}").wait_for()

    session = re.findall("session=([0-9a-f-]{36})", tab.page.url)[0]
    await tab.press("End session", "[role=dialog]")
    await tab.press("End session", "[aria-label='End this session?']")
    await tab.page.locator(".opened .state.is-terminated").wait_for()
    [row] = await office.rows("agent_sessions", id=session)
    assert row["status"] == "terminated"


async def test_a_sessions_log_is_played_searched_and_downloaded(tab: Tab, office: RunningOffice):
    word = uuid4().hex[:8]
    async with office.api() as api:  # one of its own: what others have done would be played, too
        made = await api.post("sessions", params={"wait": 30}, json={"role": "BE", "task": f"played-{word}"})
    session = made.raise_for_status().json()["session_id"]
    text = f"echo first {word}; sleep 0.5; echo second {word}; {DONE}"
    await office.final(await office.insert("send_prompt", {"text": text}, session_id=session))
    await tab.go(f"sessions?session={session}&tab=logs")
    await tab.page.locator(".log-lines", has_text=f"second {word}").wait_for()
    await tab.page.get_by_label("Search in the output").first.fill(f"second {word}")
    await tab.page.locator("mark").first.wait_for()
    await tab.page.locator(".moments button").first.click()
    plays = "[...document.querySelectorAll('.scrubber button')].some((one) => one.textContent === 'Pause')"
    async with asyncio.TaskGroup() as both:  # it may play no longer than a blink
        both.create_task(tab.page.wait_for_function(plays, polling="raf"))
        both.create_task(tab.press("Play", "[role=dialog]"))
    await tab.page.wait_for_function(f"!{plays}")
    at_the_end = float(await tab.page.locator("[role=slider]").get_attribute("aria-valuenow") or "nan")
    await tab.page.locator("[role=slider] [tabindex='0']").press("ArrowLeft")
    await tab.page.wait_for_function(f"document.querySelector('[role=slider]').ariaValueNow < {at_the_end}")
    for kind, ending in (("recording", ".cast"), ("text", ".txt")):
        async with tab.page.expect_download() as download:
            await tab.press(f"Download {kind}", "[role=dialog]")
        file = await download.value
        assert file.suggested_filename.endswith(ending)
        assert f"second {word}" in Path(await file.path()).read_text()
    for name in ("Quality", "Costs"):
        await tab.page.get_by_role("dialog").get_by_role("tab", name=name).click()
        await tab.page.locator(".tab .numbers").wait_for()
    await office.final(await office.insert("terminate", {}, session_id=session))


async def test_the_pictures_and_the_diff_of_a_sessions_work_come_from_its_machine(tab: Tab, office: RunningOffice):
    async with office.api() as api:
        made = await api.post("sessions", params={"wait": 30}, json={"role": "FE", "task": "seen"})
    session = made.raise_for_status().json()["session_id"]
    picture = base64.b64encode(drawn((246, 247, 249), 64, 40)).decode()
    text = f"echo {picture} | base64 -d > page.png; for n in 1 2 3 4 5 6; do cp page.png page-$n.png; done; "
    text += f"echo 'a <b>' > made.txt; {DONE}"
    await office.final(await office.insert("send_prompt", {"text": text}, session_id=session))
    await tab.go(f"sessions?session={session}&tab=screenshots")
    shots = tab.page.locator(".shot img")
    await shots.nth(5).wait_for()
    await tab.press("Show", ".shots")  # the seventh, which was not fetched by itself
    await shots.nth(6).wait_for()
    for number in range(7):
        assert await shots.nth(number).evaluate("async (one) => { await one.decode(); return one.naturalWidth; }") == 64
    async with tab.page.expect_download() as download:
        await shots.first.click()
    assert (await download.value).suggested_filename.startswith("page")
    assert await tab.violations() == []
    await tab.page.get_by_role("dialog").get_by_role("tab", name="Quality").click()
    await tab.press("Look at the worktree", "[role=dialog]")
    await tab.page.locator(".diff .add", has_text="+a <b>").wait_for()
    assert await tab.violations() == []
    await tab.press("End session", "[role=dialog]")
    await tab.press("End session", "[aria-label='End this session?']")
    await tab.page.locator(".opened .state.is-terminated").wait_for()


async def test_alt_arrows_lead_to_the_neighbours_even_from_the_terminal(tab: Tab):
    await tab.go("sessions?sort=role")
    await tab.page.locator(".card a").first.click()
    await tab.page.locator(".xterm-rows").wait_for()
    await tab.page.wait_for_url(re.compile("session="))
    first = tab.page.url
    await tab.page.locator(".xterm-helper-textarea").focus()
    await tab.page.keyboard.press("Alt+ArrowRight")
    await tab.page.wait_for_url(lambda url: url != first)
    await tab.page.locator("[data-previous]:not([disabled])").wait_for()
    await tab.page.keyboard.press("Alt+ArrowLeft")
    await tab.page.wait_for_url(first)


@pytest.mark.once
async def test_an_opened_session_fits_and_is_accessible(tab: Tab):
    await tab.go("sessions")
    await tab.page.locator(".card a").first.click()
    for name in ("Now", "History", "Logs", "Screenshots", "Quality", "Costs"):
        await tab.page.get_by_role("dialog").get_by_role("tab", name=name).click()
        await tab.page.wait_for_url(re.compile("tab=" + ("current" if name == "Now" else name.lower())))
        await tab.page.wait_for_function("document.querySelector('.opened .tab').childElementCount > 0")
        await tab.fits()


@pytest.mark.once
async def test_the_last_lines_of_a_terminal_stay_when_it_is_out_of_sight_and_never_stand_for_another(tab: Tab):
    place = tab.page.locator("#place")
    await tab.page.evaluate("document.querySelector('main').insertAdjacentHTML('beforeend', '<pre id=place></pre>')")

    async def hear(session: str, tail: str | None) -> None:
        told = {"tails": {} if tail is None else {session: tail}, "left": [session] if tail is None else []}
        await tab.page.evaluate(
            "([session, told]) => { place.dataset.tail = session; semo.hear(told) }", [session, told]
        )

    await hear("one", "older")
    await hear("one", "newer")
    await expect(place).to_have_text("newer")
    await hear("one", None)
    await hear("two", "another's")
    await expect(place).to_have_text("another's")
    await hear("one", None)
    await expect(place).to_have_text("")
    await hear("one", "back again")
    await expect(place).to_have_text("back again")
    await tab.page.evaluate("place.insertAdjacentHTML('afterend', '<pre id=next data-tail=two></pre>')")
    await tab.page.evaluate("semo.hear({ tails: { two: 'the next' }, left: ['one'] })")
    await expect(tab.page.locator("#next")).to_have_text("the next")
    assert await place.text_content() == "back again"
