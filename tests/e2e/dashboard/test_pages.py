"""The pages in a real browser, against a real office with real sessions: every page, and what is done on it."""

import asyncio
import base64
import json
import os
import re
import signal
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from playwright.async_api import Browser, expect

from tests.support.browser import Tab, sign_in_code
from tests.support.picture_office import drawn
from tests.support.running_office import RunningOffice, semo

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]
PAGES = (
    "attention", "sessions", "execute", "machines", "pool", "commands", "costs", "settings", "plans", "spec_tasks",
)  # fmt: skip
DONE = "echo '[SEMO:DONE]'"


async def run(office: RunningOffice, text: str, role: str = "BE") -> dict[str, object]:
    """A prompt, run to its end."""
    return await office.final(await office.insert("send_prompt", {"role": role, "text": text}))


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
    await run(office, f"ls {name}", "QA")
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
    await run(office, text, "QA")
    await tab.go("attention")
    await tab.page.locator(".item", has_text=text).focus()
    await tab.page.keyboard.press("r")
    await tab.says("On its way")
    rows = await office.rows("agent_commands", payload=f'{{"role": "QA", "text": "{text}"}}')
    assert sorted(str(row["author"]) for row in rows) == ["service_role", "token:first"]


async def test_a_session_is_found_opened_steered_and_ended(tab: Tab, office: RunningOffice):
    word = uuid4().hex[:8]
    await run(office, f"echo building {word}; {DONE}", "FE")
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


async def test_a_machine_is_enrolled_by_code_and_picture_renamed_drained_and_shut_out(
    tab: Tab, office: RunningOffice, tmp_path: Path
):
    first, second = f"machine-{uuid4().hex[:6]}", f"builder-{uuid4().hex[:6]}"
    await tab.go("machines")
    await tab.press("Enrol a machine")
    await tab.page.locator("img.qr").wait_for()
    code = await tab.page.locator(".code").inner_text()
    await tab.fits()
    await tab.copies(code)
    await tab.press("Close", "[role=dialog]")
    joined = await semo(
        "client", "join", code, "--office-url", office.status["office_url"], "--name", first, "--state", str(tmp_path)
    )
    assert joined.exit_code == 0, joined
    await tab.page.locator(".card", has_text=first).get_by_role("button", name="Rename").click()
    await tab.page.get_by_role("dialog").get_by_label("Name").first.fill(second)
    await tab.press("Save", "[role=dialog]")
    card = tab.page.locator(".card", has_text=second)
    await card.get_by_role("button", name="Drain").click()
    await card.get_by_text("It drains").wait_for()
    await card.get_by_role("button", name="Take work again").click()
    await card.get_by_text("It drains").wait_for(state="detached")
    await card.get_by_role("button", name="Revoke").click()
    await tab.press("Revoke", "[role=dialog]")
    await card.wait_for(state="detached")
    [row] = await office.rows("remote_clients", name=second)
    assert row["revoked_at"] is not None


async def test_the_pool_shows_who_holds_what_why_the_rest_waits_and_what_is_left_in_peace(
    tab: Tab, office: RunningOffice
):
    [client] = office.status["client_ids"]
    async with await psycopg.AsyncConnection.connect(office.status["db_url"], autocommit=True) as database:
        await database.execute(
            "insert into role_circuits (client_id, office_id, role, failures, error_code, error, opened_at, open_until)"
            " values (%s, %s, 'DevOps', 3, 'session_failed', 'no such folder', now(), now() + interval '1 hour')"
            " on conflict do nothing",
            [client, office.status["office_id"]],
        )
        waits = await office.insert("send_prompt", {"role": "DevOps", "text": "uname"})
        await tab.go("pool")
        await tab.page.locator("tr", has_text="Sessions of this role could not be made").wait_for()
        await tab.page.locator("tr", has_text="no such folder").wait_for()
        await tab.page.locator("tr", has_text=re.compile("warm|cold")).first.wait_for()
        await tab.fits()

        # What waits is found among the commands, and withdrawn.
        await tab.go("commands")
        await tab.choose("Type", "Prompt")
        await tab.choose("Status", "Waits")
        async with office.api() as api:
            asked = [
                {"command_type": "send_prompt", "payload": {"role": "DevOps", "text": f"date {n}"}} for n in range(50)
            ]
            more = await asyncio.gather(*(api.post("commands", json=one) for one in asked))
            await tab.page.locator("td a", has_text="uname").wait_for(state="detached")
            await tab.press("Show more")
            await tab.page.locator("td a", has_text="uname").wait_for()
            await asyncio.gather(*(api.post(f"commands/{one.json()['command_id']}/cancel") for one in more))
            await tab.page.locator("td a", has_text="date").first.wait_for(state="detached")
        await tab.page.locator("td a", has_text="uname").click()
        await tab.press("Withdraw", "[role=dialog]")
        await tab.page.locator("td a", has_text="uname").wait_for(state="detached")
        await tab.choose("Status", "Withdrawn")
        await tab.page.locator("td a", has_text="uname").first.wait_for()
        [row] = await office.rows("agent_commands", id=waits)
        assert row["status"] == "cancelled"
        await database.execute("delete from role_circuits where role = 'DevOps'")
    await tab.go("pool")
    await tab.says("Nothing waits")


async def test_a_command_shows_its_receipts_and_result(tab: Tab, office: RunningOffice):
    word = uuid4().hex[:8]
    await run(office, f"echo {word}; {DONE}")
    await tab.go("commands")
    await tab.page.locator("td a", has_text=word).click()
    await tab.page.locator(".command-detail .json", has_text='"outcome": "done"').wait_for()
    assert await tab.page.locator(".steps-of .done").count() >= 4
    assert "command=" in tab.page.url
    await tab.page.get_by_role("link", name="To its session").click()
    await tab.page.locator(".xterm-rows", has_text=word).wait_for()


async def test_a_token_is_made_shown_once_and_revoked_which_signs_its_holder_out(
    tab: Tab, browser: Browser, office: RunningOffice
):
    name = f"watcher-{uuid4().hex[:6]}"
    await tab.go("settings")
    await tab.page.get_by_label("Name of the token").first.fill(name)
    await tab.press("Make a token")
    secret = await tab.page.locator("[role=dialog] .command").inner_text()
    assert secret.startswith("semo_")
    await tab.copies(secret)
    await tab.press("Close", "[role=dialog]")

    other = await Tab.open(browser, office)
    await other.sign_in(secret)
    await other.go("sessions")
    row = tab.page.locator("tr", has_text=name)
    await row.get_by_role("button", name="Revoke").click()
    await tab.press("Revoke", "[role=dialog]")
    await row.get_by_text("revoked").wait_for()
    await other.page.wait_for_url(re.compile("sign-in.*expired"))
    await other.says("Your sign-in has ended")
    await other.page.fill("#secret", office.status["api_token"])
    await other.page.click("button[type=submit]")
    await other.page.wait_for_url(re.compile("/sessions"))
    await other.page.context.close()


async def test_who_may_only_look_is_offered_nothing_else_and_refused_it_anyway(browser: Browser, office: RunningOffice):
    async with office.api() as api:
        secret = (await api.post("tokens", json={"name": "viewer", "role": "viewer"})).json()["secret"]
    tab = await Tab.open(browser, office)
    await tab.sign_in(secret)
    await tab.go("machines")
    assert await tab.page.get_by_role("button", name="Rename").count() == 0
    await tab.go("settings")
    assert await tab.page.get_by_role("button", name="Save").count() == 0
    await tab.go("sessions")
    await tab.page.locator(".card a").first.click()
    await tab.page.locator(".xterm-rows").wait_for()
    assert await tab.page.get_by_role("button", name="End session").count() == 0
    assert tab.complaints == []
    await tab.page.context.close()


async def test_limits_are_changed_and_what_makes_no_sense_is_refused(tab: Tab, office: RunningOffice):
    await tab.go("settings")
    limit = tab.page.get_by_label("Sessions in use at once").first
    await limit.fill("1000")
    await tab.press("Save")
    await tab.says("This cannot be asked like that")
    await limit.fill("6")
    pattern: dict[str, object] = {"name": "ours", "kind": "marker", "literal": "[OURS]", "anchors": []}
    await tab.page.get_by_label("What else to look for in output").first.fill(json.dumps([pattern]))
    await tab.press("Save")
    await tab.says("Saved")
    [row] = await office.rows("offices", id=office.status["office_id"])
    assert (row["session_limit"], row["patterns"][0]["name"]) == (6, "ours")

    await tab.go("settings")  # where nothing says "Saved" as yet
    jobs = tab.page.get_by_role("region", name="Jobs at once")
    await jobs.get_by_label("Of a role").fill("QA 2, Nobody")
    await jobs.get_by_role("button", name="Save").click()
    await tab.says("“Nobody” is not a role and a number.")
    await jobs.get_by_label("Of a role").fill("QA 2, BE 5")
    await jobs.get_by_label("In the whole office").fill("5")
    await jobs.get_by_role("button", name="Save").click()
    await tab.says("Saved")
    async with office.api() as api:
        assert (await api.get("job-limits")).json() == {"running": 5, "roles": {"QA": 2, "BE": 5}}


async def test_a_persona_is_previewed_changed_and_gets_a_version_of_its_own(tab: Tab, office: RunningOffice):
    await tab.go("settings")
    await tab.page.locator(".persona", has_text="QA ·").get_by_role("button").click()
    await tab.page.get_by_label("What it is told about itself").first.fill("You test what nobody else dares to.")
    await tab.press("What the agent reads", "[role=dialog]")
    await tab.page.locator(".preview .json", has_text="nobody else dares").wait_for()
    await tab.press("Save", "[role=dialog]")
    await tab.page.locator(".persona", has_text="nobody else dares").get_by_role("button").click()
    await tab.choose("Versions", "default")
    await tab.says("Save it to make it the newest.")
    told = tab.page.get_by_label("What it is told about itself").first
    await expect(told).not_to_have_value("You test what nobody else dares to.", timeout=30_000)
    await tab.page.locator(".preview .json", has_text="nobody else dares").wait_for(state="detached")
    assert await office.rows("agent_personas", office_id=office.status["office_id"], role="QA")


@pytest.mark.once
@pytest.mark.parametrize("name", PAGES)
async def test_each_page_fits_and_is_accessible_in_light_and_dark(tab: Tab, name: str):
    await tab.go(name)
    assert await tab.page.evaluate("document.documentElement.lang") == "en"
    assert await tab.page.locator("h1").count() == 1
    await tab.fits()


@pytest.mark.once
async def test_an_opened_session_fits_and_is_accessible(tab: Tab):
    await tab.go("sessions")
    await tab.page.locator(".card a").first.click()
    for name in ("Now", "History", "Logs", "Screenshots", "Quality", "Costs"):
        await tab.page.get_by_role("dialog").get_by_role("tab", name=name).click()
        await tab.page.wait_for_url(re.compile("tab=" + ("current" if name == "Now" else name.lower())))
        await tab.page.wait_for_function("document.querySelector('.opened .tab').childElementCount > 0")
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
