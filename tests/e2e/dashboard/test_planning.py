"""Plans and spec tasks in a real browser: applied, written down, followed, judged, answered and stopped."""

import asyncio
import re
from uuid import uuid4

import pytest

from tests.support.browser import Tab
from tests.support.planning_scripts import PLANNING, WORK
from tests.support.plans import applied
from tests.support.running_office import RunningOffice

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(240)]
DONE = "echo '[SEMO:DONE]'"
TASKS = """# Tasks

- [ ] 1 Begin (role: BE)
  semo-agent report_progress '{"text": "begun", "percent": 10}'
  semo-agent spawn_session '{"title": "Extra", "prompt": "echo extra > extra.txt", "role": "QA"}'
  semo-agent ask_person '{"text": "QUESTION", "options": ["go on", "stop"]}' > answer.json
- [ ] 2 End (role: FE; depends on 1)
  semo-agent ask_person '{"text": "AGAIN"}' > copied.json
"""


async def test_a_plan_is_applied_followed_hurried_paused_changed_cancelled_and_deleted(tab: Tab, office: RunningOffice):
    name = f"checkout-{uuid4().hex[:6]}"
    await tab.go("plans")
    await tab.press("Apply a plan")
    field = tab.page.get_by_role("dialog").get_by_label("The plan").last
    await field.fill(f"name: {name}\nwaves:\n  - - {{name: schema, prompt: x, role: BE, pririty: 2}}\n")
    await tab.press("Apply a plan", "[role=dialog]")
    wrong = tab.page.locator(".wrong li").first
    await wrong.wait_for()
    assert ("line 3" in await wrong.inner_text(), "pririty" in await wrong.inner_text()) == (True, True)
    await field.fill(
        f"name: {name}\ndefaults: {{role: BE}}\nwaves:\n"
        f'  - - {{name: schema, prompt: "echo made; {DONE}"}}\n    - {{name: endless, prompt: "sleep 600"}}\n'
        f'  - - {{name: api, prompt: "echo served; {DONE}", role: QA}}\n'
        f'  - - {{name: last, prompt: "sleep 600"}}\n    - {{name: spare, prompt: "sleep 600"}}\n'
    )
    await tab.press("Apply a plan", "[role=dialog]")
    await tab.page.wait_for_url(re.compile("plan="))
    await tab.live()
    await tab.page.locator(".job", has_text="schema").locator(".is-done").wait_for()
    await tab.page.locator(".job", has_text="endless").locator(".is-running").wait_for()
    await tab.page.locator(".job", has_text="Waits for wave 1; jobs left in it: 1").first.wait_for()
    await tab.page.get_by_role("progressbar", name=name).and_(tab.page.locator("[aria-valuenow='20']")).wait_for()
    await tab.fits()

    await tab.page.locator(".job", has_text="api").locator("a").focus()
    await tab.page.keyboard.press("o")
    dialog = tab.page.get_by_role("dialog")
    await dialog.get_by_label("Priority").last.fill("7")
    await tab.press("Set priority", "[role=dialog]")
    await dialog.locator("dd", has_text=re.compile("^7$")).wait_for()
    assert await tab.violations() == []
    await tab.page.keyboard.press("Escape")
    await tab.page.locator(".job", has_text="Priority +7").wait_for()

    await tab.press("Pause")
    await tab.page.locator(".plan-head .is-paused").wait_for()
    await tab.press("Go on")
    await tab.page.locator(".plan-head .is-running").wait_for()

    # One job is dropped before it began, and wanted after all.
    await tab.choose("Status of the jobs", "Waits")
    await tab.page.locator(".job", has_text="endless").wait_for(state="detached")
    await tab.page.locator(".job", has_text="spare").locator("a").click()
    await tab.press("Drop", "[role=dialog]")
    await tab.press("Drop", "[aria-label='Drop this job?']")
    await tab.page.locator(".opened .state.is-cancelled").wait_for()
    await tab.press("Try again", "[role=dialog]")
    await tab.page.locator(".opened .state.is-waiting").wait_for()
    await tab.page.keyboard.press("Escape")
    await tab.choose("Status of the jobs", "Every status")

    # What runs is gone on without, so that the next waves begin; and what runs of them is killed.
    await tab.press("Graph")
    await tab.page.locator(".graph .node.is-running").wait_for()
    await tab.fits()
    await tab.page.locator(".graph .node", has_text="endless").click()
    await dialog.get_by_text("To its session").wait_for()
    assert "job=" in tab.page.url
    await tab.press("Go on without it", "[role=dialog]")
    await tab.press("Go on without it", "[aria-label='Drop this job?']")
    await tab.page.locator(".opened .state.is-cancelled").wait_for()
    await tab.page.keyboard.press("Escape")
    await tab.press("Lanes")
    await tab.page.locator(".job", has_text="api").locator(".is-done").wait_for()
    await tab.page.locator(".job", has_text="last").locator(".is-running").wait_for()
    await tab.page.locator(".job", has_text="spare").locator("a").click()
    await tab.press("Kill", "[role=dialog]")
    await tab.press("Kill", "[aria-label='Kill this attempt?']")
    await tab.page.locator(".opened .state.is-cancelled").wait_for()
    await tab.page.keyboard.press("Escape")
    await tab.press("Graph")

    await tab.press("Cancel plan")
    await tab.press("Cancel plan", "[aria-label='Cancel this plan?']")
    await tab.page.locator(".plan-head .is-cancelled").wait_for()
    await tab.page.locator(".graph .node.is-cancelled").first.wait_for()
    [row] = await office.rows("plans", name=name)
    assert row["status"] == "cancelled"
    await tab.press("Delete plan")
    await tab.press("Delete plan", "[aria-label='Delete this plan?']")
    await tab.page.wait_for_url(re.compile("/plans$"))
    await tab.live()
    await tab.page.locator(".plan", has_text=name).wait_for(state="detached")
    assert await office.rows("plans", name=name) == []


async def test_a_job_is_done_when_a_person_says_yes_and_gets_a_no_as_its_next_prompt(tab: Tab, office: RunningOffice):
    question = f"Does it read well? {uuid4().hex[:6]}"
    async with office.api() as api:
        plan = await applied(
            api,
            f'name: texts\njobs:\n  - {{name: texts, role: BE, prompt: "echo text >> t.md; {DONE}", '
            f'max_rounds: 1, conditions: [{{person: "{question}"}}]}}\n',
        )
        await tab.go("attention")
        item = tab.page.locator(".item", has_text=question)
        await item.get_by_label("Why not").last.fill(f"echo longer >> t.md; {DONE}")
        asked_first = tab.page.locator(f"#{await item.get_attribute('id')}")
        await item.get_by_role("button", name="No").click()
        await asked_first.wait_for(state="detached")
        await item.wait_for()
        await item.focus()
        await tab.page.keyboard.press("y")
        await item.wait_for(state="detached")
        await tab.go(f"plans?plan={plan}")
        await tab.page.locator(".job .is-done").wait_for()
        await tab.page.locator(".job a").click()
        evidence = tab.page.locator(".evidence li")
        await evidence.nth(1).wait_for()
        assert "Does not hold" in await evidence.nth(0).inner_text()
        assert "Holds" in await evidence.nth(1).inner_text()


async def test_a_spec_task_goes_from_the_backlog_to_done_with_comments_a_question_and_an_added_session(
    tab: Tab, office: RunningOffice
):
    name = f"talk-{uuid4().hex[:6]}"
    question, again, title = f"Shall {name} go on?", f"And {name} once more?", f"Talk {name}"
    await tab.go("spec_tasks")
    await tab.press("New spec task")
    dialog = tab.page.get_by_role("dialog")
    await dialog.get_by_label("Title", exact=True).last.fill(title)
    await dialog.get_by_label("Name of its branch").last.fill(f"{name}-b")
    await dialog.get_by_text("Plan it at once").click()
    await tab.press("Write it down", "[role=dialog]")
    await tab.page.wait_for_url(re.compile(f"task={name}-b"))
    await tab.page.locator(".plan-head .is-backlog").wait_for()
    await tab.go("spec_tasks")
    await tab.page.locator("[aria-label=Backlog] .spec a", has_text=title).click()
    await tab.press("Cancel task")
    await tab.press("Cancel task", "[aria-label='Cancel this task?']")
    await tab.page.locator(".plan-head .is-cancelled").wait_for()
    await tab.page.get_by_role("button", name="Cancel task").wait_for(state="detached")

    async with office.api() as api:
        wishes = {
            "title": f"Speak {name}",
            "name": name,
            "planning_template": PLANNING % TASKS.replace("QUESTION", question).replace("AGAIN", again),
        }
        made = await api.post("spec-tasks", json=wishes | {"work_template": WORK})
        assert made.status_code == 201, made.text
    await tab.go("spec_tasks")
    await tab.page.locator("[aria-label=Cancelled] .spec", has_text=title).wait_for()
    await tab.page.locator("[aria-label=Backlog] .spec a", has_text=name).focus()
    await tab.page.keyboard.press("s")
    await tab.page.locator("[aria-label=Review] .spec a", has_text=name).click()
    await tab.page.locator(".document .line", has_text="# Design of round 1").click()
    await dialog.get_by_label("Comment", exact=True).last.fill("Which <b>table</b>?")
    await tab.press("Comment", "[role=dialog]")
    await tab.page.locator("[aria-label='design.md'] .comment", has_text="Which <b>table</b>?").wait_for()
    await tab.press("Comment", "[aria-label='tasks.md']")
    await dialog.get_by_label("Comment", exact=True).last.fill("As a whole, fine.")
    await tab.press("Comment", "[role=dialog]")
    await tab.page.locator("[aria-label='tasks.md'] .comment", has_text="As a whole, fine.").wait_for()
    await tab.fits()
    await tab.press("Send back")
    await tab.press("Send back", "[role=dialog]")
    await tab.page.locator("[aria-label='design.md'] .line.new", has_text="# Design of round 2").wait_for()
    await tab.page.get_by_text("sent back by").wait_for()
    await tab.page.get_by_label("Version of the documents").first.click()
    await tab.page.get_by_role("option", name=re.compile("Version 1")).click()
    await tab.page.locator("[aria-label='design.md'] .line", has_text="# Design of round 1").wait_for()

    await tab.go("attention")
    review = tab.page.locator(".item", has_text=f"Speak {name}")
    await review.focus()
    await tab.page.keyboard.press("o")
    await tab.page.wait_for_url(re.compile(f"task={name}"))
    await tab.press("Approve")
    await tab.page.locator(".work", has_text="begun (10 %)").wait_for()
    await tab.page.locator(".tree .tree .work", has_text="Extra").wait_for()
    await tab.press("Add a work session")
    await dialog.get_by_label("Title", exact=True).last.fill("By hand")
    await dialog.get_by_label("Prompt").last.fill("echo by hand > hand.txt")
    await tab.press("Add a work session", "[role=dialog]")
    await tab.page.locator(".work", has_text="By hand").wait_for()
    await tab.fits()

    await tab.go("attention")
    asks = tab.page.locator(".item", has_text=question)
    await asks.wait_for()
    assert await tab.violations() == []
    await asks.focus()
    await tab.page.keyboard.press("1")
    await asks.wait_for(state="detached")
    once_more = tab.page.locator(".item", has_text=again)
    await once_more.get_by_label("Answer").last.fill("as it is")
    await tab.page.keyboard.press("Enter")
    await once_more.wait_for(state="detached")
    await tab.go(f"spec_tasks?task={name}")
    await tab.page.locator(".plan-head .is-done").wait_for(timeout=90_000)
    await tab.page.locator(".timeline li", has_text="was answered by").nth(1).wait_for()
    [asked] = await office.rows("questions", text=question)
    assert asked["answer"] == "go on"
    [asked] = await office.rows("questions", text=again)
    assert asked["answer"] == "as it is"


async def test_what_is_long_is_shown_further_when_somebody_asks(tab: Tab, office: RunningOffice):
    word = f"many{uuid4().hex[:6]}"
    async with office.api() as api:
        (await api.patch("job-limits", json={"roles": {"QA": 1}})).raise_for_status()
        try:
            plans = [
                await applied(api, f'name: {word}-{n:02}\njobs: [{{role: QA, prompt: "sleep 600; # {word}-{n:02}"}}]\n')
                for n in range(35)
            ]
            await tab.go("plans")
            oldest = tab.page.locator(".plan", has_text=f"{word}-00")
            await tab.page.locator(".plan", has_text=f"{word}-34").wait_for()
            assert await oldest.count() == 0
            await tab.press("Show more")
            await oldest.wait_for()
            for cancelled in await asyncio.gather(*(api.post(f"plans/{plan}/cancel") for plan in plans)):
                cancelled.raise_for_status()
        finally:
            (await api.patch("job-limits", json={"roles": {"QA": 1000}})).raise_for_status()

        await tab.go("execute")
        await tab.page.get_by_label("Search name and prompt").first.fill(word)
        found = tab.page.locator(".was tr", has_text=word)
        await found.nth(24).wait_for()
        assert await found.count() == 25
        await tab.press("Show more")
        await found.nth(34).wait_for()
        await tab.page.locator(".was tr", has_text=f"{word}-00").locator(".is-cancelled").wait_for()
        for deleted in await asyncio.gather(*(api.delete(f"plans/{plan}") for plan in plans)):
            deleted.raise_for_status()


async def test_everything_is_stopped_when_it_was_said_twice(tab: Tab, office: RunningOffice):
    async with office.api() as api:
        plan = await applied(api, 'name: endless\nprompts: [{prompt: "sleep 600", role: BE}]\n')
    await tab.go(f"plans?plan={plan}")
    await tab.page.locator(".job .is-running").wait_for()
    await tab.go("plans")
    await tab.press("Stop everything")
    await tab.press("Stop everything", "[aria-label='Stop everything in this office?']")
    await tab.press("Leave it as it is", "[aria-label='Really everything?']")
    [row] = await office.rows("plans", id=plan)
    assert row["status"] == "running"
    await tab.press("Stop everything")
    await tab.press("Stop everything", "[aria-label='Stop everything in this office?']")
    await tab.press("Stop everything", "[aria-label='Really everything?']")
    await tab.page.get_by_text(re.compile("Stopped: [1-9]")).first.wait_for()
    [row] = await office.rows("plans", id=plan)
    assert row["status"] == "cancelled"
