"""Working from the pages, in a real office with real sessions: prompts one or many, costs and caps, people, policy."""

import re
from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest
from playwright.async_api import Browser, expect

from office_server.dashboard.signing import COOKIE, Signing
from tests.support.browser import Tab
from tests.support.running_office import RunningOffice

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]
DONE = "echo '[SEMO:DONE]'"


async def test_many_prompts_are_started_at_once_followed_killed_found_and_started_again(
    tab: Tab, office: RunningOffice, tmp_path_factory: pytest.TempPathFactory
):
    word, gate = uuid4().hex[:8], tmp_path_factory.mktemp("gate") / "open"
    page = tab.page
    await tab.go("execute")
    await tab.choose("Project", 1)  # the repository of the one machine
    await page.get_by_label("Prompt", exact=True).first.fill(
        f"echo first {word}; until test -e {gate}; do read -t 0.1 < <(:); done; {DONE}\n\necho second {word}; {DONE}"
    )
    await tab.choose("How many prompts it holds", "One prompt on each line")
    await tab.says("2 prompts")
    await page.get_by_text("Limits, budget and conditions").click()
    await page.get_by_label("Budget for all of it (USD)").first.fill("3")
    await tab.press("Start", ".ask")

    # The one that waits is followed live; the other is over, and in the list.
    card = page.locator(".at-work .card", has_text=f"first {word}")
    await page.wait_for_function(
        f"[...document.querySelectorAll('.at-work .card pre')].some(one => one.textContent.includes('first {word}'))"
    )
    history = page.locator(".was tr", has_text=f"second {word}")
    await history.locator(".state.is-done").wait_for()
    await card.locator("a").click()
    await page.wait_for_function(f"document.querySelector('.xterm-rows')?.textContent.includes('first {word}')")
    await tab.press("Kill", "[role=dialog]")
    await tab.press("Kill", "[aria-label='Kill this attempt?']")
    await page.locator(".opened .state.is-cancelled").wait_for()
    gate.touch()
    await tab.press("Start again", "[role=dialog]")
    await page.locator(".opened .state.is-done").wait_for()
    await page.locator(".opened .output-text", has_text=f"first {word}").wait_for()
    await page.keyboard.press("Escape")

    # What is done is asked for once more, as something new.
    await page.get_by_label("Search name and prompt").first.fill(f"second {word}")
    await page.wait_for_function("document.querySelectorAll('.was tbody tr').length === 1")
    await page.locator(".was td a").click()
    await page.locator(".opened .output-text", has_text=f"second {word}").wait_for()
    await tab.press("Start again", "[role=dialog]")
    await page.wait_for_function("document.querySelectorAll('.was tbody tr').length === 2")

    # Or it is changed and started; and what runs is killed where it stands.
    await page.locator(".opened .output-text", has_text=f"second {word}").wait_for()
    await tab.press("Change and start", "[role=dialog]")
    await page.locator(".opened").wait_for(state="detached")
    prompt = page.get_by_label("Prompt", exact=True).first
    await expect(prompt).to_have_value(f"echo second {word}; {DONE}", timeout=30_000)
    await prompt.fill(f"echo third {word}; sleep 600")
    await tab.press("Start", ".ask")
    await page.get_by_role("dialog").get_by_role("button", name="Close").click()
    third = page.locator(".at-work .card", has_text=f"third {word}")
    await third.locator(".state.is-running").wait_for()
    await third.locator("a").focus()
    await page.keyboard.press("x")
    await tab.press("Kill", "[aria-label='Kill this attempt?']")
    await third.wait_for(state="detached")
    await page.get_by_label("Search name and prompt").first.fill(f"third {word}")
    await page.locator(".was tr", has_text=f"third {word}").locator(".state.is-cancelled").wait_for()

    jobs = await office.rows("jobs", office_id=office.status["office_id"])
    mine = [job for job in jobs if word in job["prompt"]]
    [client] = office.status["client_ids"]
    assert [job["client_id"] for job in mine] == [client] * 4
    caps = [await office.rows("budgets", name=plan, scope="plan") for plan in {job["plan_id"] for job in mine}]
    assert [cap["cap_usd"] for [cap] in filter(None, caps)] == [3, 3]


async def test_a_prompt_is_saved_as_a_template_and_started_with_parameters_and_conditions(
    tab: Tab, office: RunningOffice
):
    word = uuid4().hex[:8]
    name, page = f"greet-{word}", tab.page
    await tab.go("execute")
    prompt = f"echo {{{{who}}}} > {word}.txt; git add -A; git commit -qm {word}; {DONE}"
    await page.get_by_label("Prompt", exact=True).first.fill(prompt)
    await tab.press("Save as template", ".ask")
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Name of the template").first.fill(name)
    await dialog.get_by_label("who, unless said otherwise").first.fill("nobody")
    await tab.press("Save", "[role=dialog]")
    await tab.says("version 1")
    await tab.press("Prompt", ".ask .segments")
    await page.locator(".ask").get_by_label("Prompt", exact=True).first.wait_for()
    await tab.press("Template", ".ask .segments")
    await tab.choose("Role", "QA", ".ask")
    await page.locator(".ask").get_by_label("who").first.fill("ada")
    await page.get_by_text("Limits, budget and conditions").click()
    await page.get_by_label("It has committed its work").first.click()
    await page.get_by_label("Files like these have changed").first.fill("*.txt")
    await tab.press("Start", ".ask")
    await page.locator(".opened .state.is-done").wait_for()
    await tab.says("must_change: *.txt")
    await page.reload()
    await tab.live()
    await tab.press("Change and start", "[role=dialog]")
    await expect(page.get_by_label("Files like these have changed").first).to_have_value("*.txt", timeout=30_000)
    await page.locator("[aria-label='It has committed its work'][aria-checked=true]").wait_for(state="attached")
    await expect(page.get_by_label("Minutes for each").first).to_have_value("30", timeout=30_000)
    [template] = await office.rows("prompt_templates", name=name)
    assert (template["parameters"], template["version"]) == ({"who": "nobody"}, 1)
    [job] = [one for one in await office.rows("jobs", status="done") if word in one["prompt"]]
    assert (job["role"], job["prompt"].startswith("echo ada")) == ("QA", True)
    assert job["conditions"] == [{"must_change": "*.txt"}, {"commit": True}]


async def test_what_was_spent_is_drawn_against_caps_that_are_set_changed_and_removed(
    tab: Tab, browser: Browser, office: RunningOffice
):
    page = tab.page
    async with await psycopg.AsyncConnection.connect(office.status["db_url"], autocommit=True) as database:
        await database.execute("delete from costs where office_id = %s", [office.status["office_id"]])
        await database.execute(
            "insert into costs (turn_id, office_id, at, role, agent, cost_usd, input_tokens)"
            " select gen_random_uuid(), %s, now() - make_interval(days => d), r, 'claude', 1.5, 1000"
            " from generate_series(0, 3) d, unnest(array['BE', 'FE']) r",
            [office.status["office_id"]],
        )
    await tab.go("costs")
    await page.locator(".number", has_text="$12.00").wait_for()
    assert await page.locator(".chart svg path").count() > 8
    await page.get_by_text("As a table").nth(1).click()
    await page.locator("[aria-label='By role'] td", has_text="$6.00").first.wait_for()

    await tab.choose("Time", "Today")
    await page.locator(".number", has_text="$3.00").first.wait_for()
    await page.locator(".number", has_text="$12.00").wait_for(state="detached")
    await tab.choose("Time", "Last 30 days")
    await page.locator(".number", has_text="$12.00").wait_for()

    await tab.press("Set a cap")
    await tab.choose("On what", "Role", "[role=dialog]")
    await tab.choose("Which", "FE", "[role=dialog]")
    await page.get_by_role("dialog").get_by_label("Tokens").first.fill("900000")
    await tab.press("Save", "[role=dialog]")
    cap = page.locator(".cap", has_text="Role FE")
    await cap.locator("text=of 900,000 tokens").wait_for()
    await cap.get_by_role("button", name="Remove").click()
    await tab.press("Remove", "[aria-label='Remove this cap?']")
    await cap.wait_for(state="detached")

    await tab.press("Set a cap")
    await page.get_by_role("dialog").get_by_label("US dollars").first.fill("2")
    await tab.press("Save", "[role=dialog]")
    cap = page.locator(".cap", has_text="The whole office")
    await cap.locator("text=Reached").wait_for()
    await page.locator(".chart svg text", has_text="cap $2.00").wait_for()
    await cap.get_by_role("button", name="Change").click()
    await page.get_by_role("dialog").get_by_label("US dollars").first.fill("20")
    await tab.press("Save", "[role=dialog]")
    await cap.locator("text=$3.00 of $20.00").wait_for()
    await tab.choose("Measure", "In tokens")
    await page.locator(".number", has_text="8,000").wait_for()

    async with office.api() as api:
        secret = (await api.post("tokens", json={"name": f"looks-{uuid4()}", "role": "viewer"})).json()["secret"]
    looking = await Tab.open(browser, office)
    await looking.sign_in(secret)
    await looking.go("costs")
    await looking.page.locator(".cap").first.wait_for()
    assert await looking.page.get_by_role("button", name=re.compile("cap|Change|Remove")).count() == 0
    await looking.go("execute")
    assert await looking.page.locator("section.ask").count() == 0
    await looking.page.context.close()

    await cap.get_by_role("button", name="Remove").click()
    await tab.press("Remove", "[aria-label='Remove this cap?']")
    await cap.wait_for(state="detached")
    assert await office.rows("budgets", scope="office") == []


async def test_a_person_signs_in_by_password_with_the_role_that_they_have_at_that_moment(
    tab: Tab, browser: Browser, office: RunningOffice
):
    email = f"ada-{uuid4().hex[:8]}@example.com"
    await tab.go("settings")
    await tab.page.get_by_label("E-mail address").first.fill(email)
    await tab.press("Let in")
    first_password = await tab.page.locator("[role=dialog] .command").inner_text()
    await tab.press("Close", "[role=dialog]")
    row = tab.page.locator("tr", has_text=email)

    ada = await Tab.open(browser, office)
    await ada.page.goto(f"{office.status['office_url']}/")
    assert await ada.violations() == []
    await _by_password(ada, email, "not the password")
    await ada.says("do not fit")
    ada.complaints.clear()  # the browser's own words for the 401
    await _by_password(ada, email, first_password)
    await ada.live()

    # An operator, who changes the password and runs something.
    await ada.page.get_by_label("Account and appearance").click()
    await ada.says(email)
    await ada.page.get_by_text("Change your password").click()
    await ada.page.get_by_label("Your password until now").first.fill(first_password)
    await ada.page.get_by_label("The new one").first.fill("a better password")
    await ada.press("Save", "[role=dialog]")
    await ada.says("Your password is changed")
    await ada.go("execute")
    assert await ada.page.locator("section.ask").count() == 1

    # A viewer from now on, and then nobody.
    await tab.choose("Role", "viewer", f"tr:has-text('{email}')")
    await tab.says("Saved")
    await ada.page.locator("section.ask").wait_for(state="detached")
    await row.get_by_role("button", name="Remove").click()
    await tab.press("Remove", "[role=dialog]")
    await ada.page.wait_for_url(re.compile("sign-in.*removed"))
    await ada.says("You are not a member of that office any more")
    await _by_password(ada, email, "a better password")
    await ada.says("no office has you as a member")
    ada.complaints.clear()
    async with office.api() as api:
        again = await api.post("members", json={"email": email, "role": "admin"})
        assert (again.status_code, again.json()["password"]) == (201, None)
    await _by_password(ada, email, "a better password")
    await ada.live()
    assert ada.complaints == []
    await ada.page.context.close()


async def test_a_sign_in_that_runs_out_while_somebody_watches_is_said_and_leads_back(
    browser: Browser, office: RunningOffice
):
    tab = await Tab.open(browser, office)
    await tab.sign_in()
    async with office.api() as api:
        made = (await api.post("tokens", json={"name": "short", "role": "operator"})).json()
    soon = Signing(office.status["service_role_key"], timedelta(seconds=4)).sign(f"token:{made['id']}")
    await tab.page.context.clear_cookies()
    await tab.page.context.add_cookies([{"name": COOKIE, "value": soon, "domain": "127.0.0.1", "path": "/dashboard"}])
    await tab.page.goto(tab.address("costs?span=week"))
    await tab.page.wait_for_url(re.compile("sign-in.*expired"))
    await tab.says("Your sign-in has ended")
    await tab.page.fill("#secret", made["secret"])
    await tab.page.click("button[type=submit]")
    await tab.page.wait_for_url(re.compile("/costs.span=week"))
    await tab.live()
    assert tab.complaints == []
    await tab.page.context.close()


async def test_the_policy_of_a_machine_is_shown_as_it_is_by_now(tab: Tab, office: RunningOffice):
    policy = office.data / "client" / "policy.toml"
    before = policy.read_text()
    try:
        policy.write_text(f'{before}\n[checks.tidy]\nrun = ["true"]\n')
        await tab.go("machines")
        await tab.says("GB free")
        await tab.press("Policy")
        dialog = tab.page.get_by_role("dialog")
        await dialog.locator("td", has_text="shell").first.wait_for()
        await dialog.get_by_text("tidy").wait_for()
        assert await tab.violations() == []
    finally:
        policy.write_text(before)


async def _by_password(tab: Tab, email: str, password: str) -> None:
    await tab.page.fill("#email", email)
    await tab.page.fill("#password", password)
    await tab.page.click("form:has(#password) button")
