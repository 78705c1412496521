"""Machines, the pool, tokens, limits and personas: what a person sets up, and what those may not who only look."""

import asyncio
import json
import re
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from playwright.async_api import Browser, expect

from tests.support.browser import Tab
from tests.support.running_office import RunningOffice, semo

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]


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
