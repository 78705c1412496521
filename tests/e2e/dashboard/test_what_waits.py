"""What waits for a person, each kind of it as it really comes about, and answered in place by one key."""

import re
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from tests.support.browser import Tab
from tests.support.claude_cli import claude_program
from tests.support.git import git
from tests.support.merging import forecast, merged, settled
from tests.support.messages_api import MessagesApi, Use, say
from tests.support.office_events import OfficeEvents
from tests.support.planning_scripts import PLANNING, WORK
from tests.support.plans import applied
from tests.support.running_office import RunningOffice

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(240)]
DONE = "echo '[SEMO:DONE]'"


async def test_an_agent_gets_leave_by_one_key_is_seen_at_its_tool_and_found_again_in_its_recording(
    tab: Tab, office: RunningOffice, messages: MessagesApi, tmp_path: Path
):
    claude_program()  # skips where it is not there
    word, gate = uuid4().hex[:8], tmp_path / "gate"
    command = (
        f"until test -e {gate}; do sleep 0.1; done; echo {word} > made.txt; git add -A; git commit -qm 'Made {word}'"
    )
    unwanted = f"rm -rf made-by-nobody-{word}"
    messages.script(
        word, Use("Bash", {"command": unwanted}), Use("Bash", {"command": command}), say("Committed. [SEMO:DONE]")
    )
    made = await office.final(await office.insert("create_session", {"role": "BE", "agent": "claude", "task": word}))
    assert made["status"] == "completed", made
    session = made["result"]["session_id"]
    prompt = await office.insert("send_prompt", {"text": f"{word}, please"}, session_id=session)

    await tab.go("attention")
    denied = tab.page.locator(".item", has_text=unwanted)
    await denied.wait_for()
    await denied.focus()
    await tab.page.keyboard.press("d")
    await denied.wait_for(state="detached")
    asking = tab.page.locator(".item", has_text=f"git commit -qm 'Made {word}'")
    await asking.wait_for()
    await tab.fits()
    await asking.focus()
    await tab.page.keyboard.press("a")
    await asking.wait_for(state="detached")

    await tab.go("sessions")
    await tab.page.locator(".card", has_text=word).locator(".tool", has_text="Bash until test").wait_for()
    await tab.go(f"sessions?session={session}")
    dialog = tab.page.get_by_role("dialog")
    await dialog.get_by_role("region", name="Uses now").get_by_text("Bash until test").wait_for()
    gate.touch()
    assert (await office.final(prompt))["status"] == "completed"
    async with OfficeEvents.of(office) as events:
        await events.until("git.committed", session)
    await dialog.get_by_role("region", name="Uses now").wait_for(state="hidden")

    await tab.go(f"sessions?session={session}&tab=logs")
    jump = dialog.locator(".moments button", has_text=f"Committed Made {word}")
    await jump.wait_for()
    for moment in ("Uses Bash until test", "It was given leave: Bash", "It was denied leave: Bash"):
        assert await dialog.locator(".moments button", has_text=moment).count() == 1, moment
    await tab.fits()
    place = dialog.get_by_role("slider", name="Place in the recording")
    at_the_end = float(await place.get_attribute("aria-valuenow") or "nan")
    await dialog.locator(".moments button", has_text="Uses Bash until test").click()
    await tab.page.wait_for_function(f"document.querySelector('[role=slider]').ariaValueNow < {at_the_end}")
    at_the_tool = float(await place.get_attribute("aria-valuenow") or "nan")
    await jump.click()
    await tab.page.wait_for_function(f"document.querySelector('[role=slider]').ariaValueNow > {at_the_tool}")

    # What the machine's policy keeps to its terminal can be interrupted from here.
    messages.script(f"writes{word}", Use("Write", {"file_path": str(tmp_path / "note"), "content": word}))
    prompt = await office.insert("send_prompt", {"text": f"writes{word}, please"}, session_id=session)
    await tab.go("attention")
    stands = tab.page.locator(".item", has_text="Needs permission").filter(has_text=word)
    await stands.wait_for()
    await tab.fits()
    await stands.focus()
    await tab.page.keyboard.press("i")
    await stands.wait_for(state="detached")
    assert (await office.final(prompt))["error_code"] == "turn_interrupted"
    await office.final(await office.insert("terminate", {}, session_id=session))


async def test_a_question_in_a_terminal_is_answered_in_place_and_its_session_can_be_ended(
    tab: Tab, office: RunningOffice
):
    word = uuid4().hex[:8]
    async with office.api() as api:
        made = await api.post("sessions", params={"wait": 30}, json={"role": "QA", "task": word})
    session = made.raise_for_status().json()["session_id"]
    await office.final(await office.insert("send_prompt", {"text": f"( echo {word}"}, session_id=session))
    await tab.go("attention")
    asks = tab.page.locator(".item", has=tab.page.get_by_text(word, exact=True))
    await asks.locator("pre", has_text=f"echo {word}").wait_for()
    await tab.fits()
    await asks.focus()
    await tab.page.keyboard.press("o")
    await tab.page.locator(".opened .xterm-rows", has_text=word).wait_for()
    await tab.page.keyboard.press("Escape")
    await tab.page.locator(".opened").wait_for(state="detached")
    await asks.get_by_label("Answer").last.fill(f"echo answered; {DONE}")
    await tab.page.keyboard.press("Enter")
    await asks.wait_for(state="detached")
    await tab.go(f"sessions?session={session}&tab=history")
    await tab.page.locator(".turn", has_text=f"answered; {DONE}").locator(".good").wait_for()
    await office.final(await office.insert("terminate", {}, session_id=session))


async def test_branches_that_conflict_are_named_before_and_after_and_merged_by_one_key_once_they_do_not(
    tab: Tab, office: RunningOffice
):
    word, branches = uuid4().hex[:8], list[str]()
    [client] = office.status["client_ids"]
    worktrees: list[str] = []
    sessions: list[str] = []
    for number in (1, 2):
        wish = {"role": "BE", "task": f"{word}-{number}"}
        made = (await office.final(await office.insert("create_session", wish)))["result"]
        text = f"echo {number} > {word}.txt; git add -A; git commit -qm {word}-{number}; {DONE}"
        await office.final(await office.insert("send_prompt", {"text": text}, session_id=made["session_id"]))
        branches.append(made["branch"])
        worktrees.append(made["worktree_path"])
        sessions.append(made["session_id"])
    await tab.go("attention")
    forecasted = tab.page.locator(".item", has_text="Will conflict").filter(has_text=f"{word}.txt")
    async with office.api() as api:
        await forecast(api, branches)
        await forecasted.wait_for()
        assert (await merged(api, client, branches[0]))["state"] == "merged"
        conflicting = await merged(api, client, branches[1])
        assert conflicting["state"] == "conflict"
    item = tab.page.locator(".item", has_text="Pull request conflicts").filter(has_text=f"{word}.txt")
    await item.wait_for()
    await tab.fits()

    git(Path(worktrees[1]), "fetch", "--quiet", "origin")
    git(Path(worktrees[1]), "merge", "--quiet", "--strategy-option=ours", "origin/main")
    await item.focus()
    await tab.page.keyboard.press("m")
    await item.wait_for(state="detached")
    async with office.api() as api:
        now = (await api.get(f"pull-requests/{conflicting['id']}")).raise_for_status().json()
        assert (await settled(api, now))["state"] == "merged"
    for session in sessions:
        await office.final(await office.insert("terminate", {}, session_id=session))


async def test_a_job_whose_agent_asks_is_tried_again_and_answered_from_the_inbox_and_from_its_plan(
    tab: Tab, office: RunningOffice
):
    word = uuid4().hex[:8]
    async with office.api() as api:
        text = (
            f"name: asks-{word}\nepics:\n  - name: only\n    role: BE\n    tasks:\n"
            f'      - {{name: first, prompt: "( echo {word}-one"}}\n'
            f'      - {{name: second, prompt: "( echo {word}-two"}}\n'
        )
        plan = await applied(api, text)
    await tab.go("attention")
    item = tab.page.locator(".item", has_text="Job is blocked").filter(has_text=f"{word}-one")
    await item.wait_for()
    await tab.fits()
    asked_first = tab.page.locator(f"#{await item.get_attribute('id')}")
    await item.focus()
    await tab.page.keyboard.press("r")
    await asked_first.wait_for(state="detached")
    await item.wait_for()
    await item.focus()
    await tab.page.keyboard.press("o")
    await tab.page.locator(".opened .xterm-rows", has_text=f"{word}-one").wait_for()
    await tab.go(f"plans?plan={plan}")
    await tab.page.locator(".job a", has_text="first").click()
    dialog = tab.page.get_by_role("dialog")
    await dialog.get_by_label("Answer").last.fill(f"echo answered; {DONE}")
    await tab.press("Send", "[role=dialog]")
    await tab.page.locator(".opened .state.is-done").wait_for()

    await tab.go("attention")
    item = tab.page.locator(".item", has_text="Job is blocked").filter(has_text=f"{word}-two")
    await item.get_by_label("Answer").last.fill(f"echo answered; {DONE}")
    await tab.page.keyboard.press("Enter")
    await item.wait_for(state="detached")
    await tab.go(f"plans?plan={plan}")
    await tab.page.locator(".plan-head .is-done").wait_for()


async def test_a_spec_task_is_planned_tried_again_and_approved_by_one_key_each(
    tab: Tab, office: RunningOffice, tmp_path: Path
):
    word, gate = uuid4().hex[:8], tmp_path / "gate"
    planning = f"test -e {gate} || {{ {DONE}; exit; }}\n{PLANNING % '- [ ] 1 Begin (role: BE)'}"
    async with office.api() as api:
        wishes = {"title": f"Fails {word}", "name": f"fails-{word}", "planning_template": planning}
        (await api.post("spec-tasks", json=wishes | {"work_template": WORK})).raise_for_status()
    await tab.go(f"spec_tasks?task=fails-{word}")
    await tab.press("Plan it")
    await tab.page.locator(".plan-head .is-failed").wait_for()
    await tab.press("Try again")
    await tab.page.locator(".timeline li", has_text="tried again by").wait_for()
    await tab.go("attention")
    item = tab.page.locator(".item", has_text="Spec task failed").filter(has_text=word)
    await item.wait_for()
    await tab.fits()
    gate.touch()
    await item.focus()
    await tab.page.keyboard.press("r")
    review = tab.page.locator(".item", has_text="To review").filter(has_text=word)
    await review.wait_for()
    await review.focus()
    await tab.page.keyboard.press("a")
    await review.wait_for(state="detached")
    await tab.go(f"spec_tasks?task=fails-{word}")
    await tab.page.locator(".plan-head .is-done").wait_for(timeout=90_000)


async def test_a_cap_that_is_reached_leads_to_its_plan_and_is_raised_in_place_in_the_language_of_the_reader(
    tab: Tab, office: RunningOffice, tmp_path: Path
):
    name, gate = f"dear-{uuid4().hex[:8]}", tmp_path / "gate"
    async with office.api() as api:
        text = (
            f"name: {name}\ndefaults: {{role: BE}}\njobs:\n"
            f'  - {{name: before, prompt: "until test -e {gate}; do sleep 0.1; done; {DONE}"}}\n'
            f'  - {{name: dear, prompt: "{DONE}", depends_on: [before]}}\n'
        )
        plan = await applied(api, text)
        (await api.put(f"budgets/plan/{plan}/total", json={"cap_usd": 2})).raise_for_status()
        async with await psycopg.AsyncConnection.connect(office.status["db_url"], autocommit=True) as database:
            await database.execute(
                "insert into costs (turn_id, office_id, role, agent, plan_id, cost_usd)"
                " values (gen_random_uuid(), %s, 'BE', 'claude', %s, 2.5)",
                [office.status["office_id"], plan],
            )
        gate.touch()
    await tab.speak("ko")
    await tab.go("attention")
    item = tab.page.locator(".item", has_text=name)
    await item.wait_for()
    assert "계획 " + name in await item.inner_text()
    await tab.fits()
    await item.focus()
    await tab.page.keyboard.press("o")
    await tab.page.wait_for_url(re.compile(f"plan={plan}"))
    await tab.page.locator(".job", has_text="한도에 도달했습니다: 계획").wait_for()
    await tab.go("attention")
    await item.get_by_label("새 한도").last.fill("9")
    await tab.page.keyboard.press("Enter")
    await item.wait_for(state="detached")
    await tab.go(f"plans?plan={plan}")
    await tab.page.locator(".job", has_text="dear").locator(".is-done").wait_for()
