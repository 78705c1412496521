"""Spec tasks over REST, kept by one server or several; on a machine that answers as a client would."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from semo import spec_prompts, specs
from semo.office_api import OfficeApi
from semo.problems import SemoError
from shared.states import MemberRole
from tests.integration.office_server.conftest import Api, Project, TokenMaker, caller, running_server
from tests.integration.office_server.machine import Machine
from tests.integration.office_server.test_access import assert_problem

pytestmark = pytest.mark.asyncio(loop_scope="session")

TASKS = "- [ ] 1 The table (role: BE)\n- [ ] 2 The form (role: FE; depends on 1)\n- [ ] 3 The words (role: QA)\n"
DOCUMENTS = {
    "requirements.md": "WHEN asked THE SYSTEM SHALL answer.", "design.md": "As always.", "tasks.md": TASKS,
    "spec-metadata.json": "{}",
}  # fmt: skip


async def until(api: Api, name: str, *statuses: str) -> dict[str, Any]:
    """The task once it is in one of these; nobody tells a caller, so it is asked again and again."""
    async with asyncio.timeout(60):
        while (task := (await api.get(f"/spec-tasks/{name}")).json())["status"] not in statuses:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return task


@pytest_asyncio.fixture(loop_scope="session")
async def agents(machine: Machine) -> AsyncIterator[Machine]:
    """A machine whose agents plan three items, and do them."""
    machine.documents = dict(DOCUMENTS)
    yield machine


async def test_what_agents_are_told_is_the_offices_own_version_by_version(
    admin: Api, agents: Machine, server: str, new_token: TokenMaker
) -> None:
    planning = "Plan {{title}} in {{folder}} as we do, then say {{done}}"
    saved = (await admin.put("/spec-prompts/planning", {"text": planning})).json()
    assert (saved["version"], saved["is_default"], saved["needed"]) == (1, False, ["title", "folder", "done"])
    assert (await admin.put("/spec-prompts/planning", {"text": planning})).json()["version"] == 1, "the same again"
    review = "Round {{round}}: {{comments}} in {{folder}}. {{done}}"
    work = {"text": "Ours: {{label}} {{title}} {{body}} {{done}}"}
    for text in ("Change it: {{comments}} in {{folder}}. {{done}}", review):
        assert (await admin.put("/spec-prompts/review", {"text": text})).status_code == 200
    tried = await admin.post("/spec-prompts/implementation/preview", work)
    assert tried.json()["text"] == "Ours: 1.1 The table of accounts One row each. [SEMO:DONE]"

    made = await admin.post("/spec-tasks", {"title": "Sign in", "start": True})
    assert made.status_code == 201, made.text
    await until(admin, "sign-in", "review")
    assert agents.prompts == ["Plan Sign in in .semo/specs/sign-in as we do, then say [SEMO:DONE]"]
    await admin.post("/spec-tasks/sign-in/versions/1/send-back", {"comments": [{"text": "More"}]})
    await until(admin, "sign-in", "review")
    assert agents.prompts[1].startswith("Round 2: The files are there already")
    assert "- More in .semo/specs/sign-in." in agents.prompts[1]
    await admin.put("/spec-prompts/implementation", work)
    await admin.delete("/spec-prompts/planning")
    await admin.post("/spec-tasks/sign-in/versions/2/approve")
    await until(admin, "sign-in", "done")
    assert sorted(prompt[:9] for prompt in agents.prompts[2:]) == ["Ours: 1 T", "Ours: 2 T", "Ours: 3 T"]
    told = (await admin.get("/spec-tasks/sign-in/events")).json()["events"]
    words = [one["detail"]["prompt"] for one in told if one["kind"] == "session_started"]
    assert words == ["planning@1", "review@2", *["implementation@1"] * 3]

    now = {one["kind"]: one for one in (await admin.get("/spec-prompts")).json()["prompts"]}
    assert (now["planning"]["is_default"], now["planning"]["version"]) == (True, 2)
    assert "Plan the following work." in now["planning"]["text"]
    assert (await admin.get("/spec-prompts/planning", version=1)).json()["text"] == planning
    versions = (await admin.get("/spec-prompts/planning/versions")).json()["versions"]
    assert [(one["version"], one["text"]) for one in versions] == [(2, None), (1, planning)]
    assert_problem(await admin.get("/spec-prompts/planning", version=9), 404, "not_found", "no version 9")
    async with caller(server, admin.office, await new_token(MemberRole.OPERATOR)) as operator:
        assert_problem(await operator.put("/spec-prompts/planning", {"text": planning}), 403, "forbidden")


@pytest.mark.parametrize(
    ("kind", "text", "words"),
    [
        ("planning", "{{title}} {{folder}} {{done}} {{colour}}", "there is no {{colour}}"),
        ("planning", "{{title}} {{done}}", "{{folder}} is missing"),
        ("review", "{{folder}} {{done}}", "{{comments}} is missing"),
        ("implementation", "{{title}} {{done}}", "{{body}} is missing"),
        ("implementation", "{{title}} {{body}} {{comments}} {{done}}", "there is no {{comments}}"),
        ("implementation", "{{title}} {{body}} {{done}} \0", "NUL"),
    ],
)
async def test_a_prompt_that_could_not_work_is_refused_and_nothing_is_saved(
    admin: Api, kind: str, text: str, words: str
) -> None:
    assert_problem(await admin.put(f"/spec-prompts/{kind}", {"text": text}), 422, "invalid_payload", words)
    assert (await admin.get(f"/spec-prompts/{kind}/versions")).json()["versions"] == []


async def test_two_servers_keep_a_task_and_each_step_is_taken_once(
    project: Project, office_id: str, new_token: TokenMaker, agents: Machine
) -> None:
    """One of them is gone in the middle; the other goes on, without a word too many on the task's branch."""
    token = await new_token()
    async with AsyncExitStack() as stack:
        first, second = [await stack.enter_async_context(running_server(project.settings())) for _ in range(2)]
        async with caller(first, office_id, token) as one, caller(second, office_id, token) as other:
            both = (await one.post("/spec-tasks", {"title": "Both", "start": True})).json()["id"]
            await until(other, "both", "review")
            await other.post("/spec-tasks/both/versions/1/approve")
            await until(one, "both", "done")
    async with running_server(project.settings()) as url, caller(url, office_id, token) as api:
        await api.post("/spec-tasks", {"title": "Alone", "start": True})
        await until(api, "alone", "review")
        async with asyncio.timeout(60):
            while await project.sql(  # noqa: ASYNC110
                "select 1 from spec_tasks where office_id = %s and written_event < last_event", office_id
            ):
                await asyncio.sleep(0.05)
        events = (await api.get("/spec-tasks/both/events")).json()["events"]
    kinds = [event["kind"] for event in events]
    assert [kinds.count(kind) for kind in ("planning", "review", "approved", "session_started", "merged", "done")] == [
        1, 1, 1, 4, 4, 1,
    ]  # fmt: skip
    assert len(agents.prompts) == 5
    commands = await project.sql(
        """select command_type, idempotency_key, status from agent_commands
           where office_id = %s and idempotency_key like 'spec:%%' order by finished_at""",
        office_id,
    )
    assert {status for _, _, status in commands} == {"completed"}
    written = [int(key.rpartition(":")[2]) for kind, key, _ in commands if kind == "write_documents" and both in key]
    assert written == sorted(written), "what was written last is the newest"
    assert written[-1] == events[-1]["id"]


async def test_a_plan_that_cannot_be_read_goes_back_with_the_line_that_is_wrong(admin: Api, agents: Machine) -> None:
    agents.documents["tasks.md"] = "# Tasks\n\n- [ ] 1 The table (role: Nobody)\n"
    await admin.post("/spec-tasks", {"title": "Unread", "start": True})
    task = await until(admin, "unread", "failed")
    assert "planning ended three times in a row" in task["problem"]
    comments = (await admin.get("/spec-tasks/unread/comments")).json()["comments"]
    assert [(one["document"], one["line"], one["round"]) for one in comments] == [("tasks.md", 3, n) for n in (1, 2, 3)]
    assert 'unknown role "Nobody"; there are' in comments[0]["text"]
    assert "tasks.md, line 3: " in agents.prompts[1], "its agent is told"
    agents.documents["tasks.md"] = TASKS
    assert (await admin.post("/spec-tasks/unread/retry")).json()["status"] == "planning"
    assert (await until(admin, "unread", "review"))["version"] == 1


async def test_what_is_wrong_with_a_spec_task_is_said_and_nothing_of_it_is_made(admin: Api) -> None:
    for body, words in (
        ({"title": " "}, "title"),
        ({"title": "A", "planning_role": "Nobody"}, 'unknown role "Nobody"'),
        ({"title": "A", "work_template": "{{nothing}}"}, "there is no {{nothing}}"),
        ({"title": "A", "max_spawned": -1}, "max_spawned"),
        ({"title": "A", "session_seconds": 0}, "session_seconds"),
        ({"title": "A", "color": "red"}, "color"),
        ({"title": "!?"}, "no letters"),
        ({"title": "A", "name": "Not A Name"}, "name"),
    ):
        assert_problem(await admin.post("/spec-tasks", body), 422, "invalid_payload", words)
    assert (await admin.get("/spec-tasks")).json()["spec_tasks"] == []

    assert (await admin.post("/spec-tasks", {"title": "Sign in"})).status_code == 201
    assert_problem(await admin.post("/spec-tasks", {"title": "Sign in"}), 409, "conflict", "already")
    assert_problem(await admin.post("/spec-tasks/sign-in/versions/1/approve"), 404, "not_found", "has no version 1")
    wish: dict[str, Any] = {"title": "More", "prompt": "x"}
    assert_problem(await admin.post("/spec-tasks/sign-in/sessions", wish), 409, "conflict", "in backlog")
    assert_problem(await admin.post("/spec-tasks/sign-in/retry"), 409, "conflict", "only one that failed")
    assert_problem(await admin.post("/spec-tasks/nobody/start"), 404, "not_found", 'no spec task "nobody"')
    message = {"text": "hello", "to": "9.9"}
    assert_problem(await admin.post("/spec-tasks/sign-in/messages", message), 422, "invalid_payload", "9.9")
    assert (await admin.post("/spec-tasks/sign-in/cancel")).json()["status"] == "cancelled"
    assert_problem(await admin.post("/spec-tasks/sign-in/start"), 409, "conflict", "cancelled")
    assert_problem(await admin.post(f"/spec-tasks/{uuid4()}/cancel"), 404, "not_found", "no spec task")


async def test_the_command_line_leads_a_task_from_a_wish_to_its_end(
    admin: Api, agents: Machine, tmp_path: Path, command_api: Callable[[], OfficeApi], told: Callable[[], str]
) -> None:
    with pytest.raises(SemoError, match="no letters"):
        await specs.create(command_api(), {"title": "!?"}, as_json=False)
    wish = tmp_path / "wish.md"
    wish.write_text("By e-mail.")
    wishes = {"title": "Sign in", "description": specs.text_of(f"@{wish}"), "start": True}
    await specs.create(command_api(), wishes, as_json=False)
    assert "spec task sign-in is in planning · branch spec/sign-in" in told()
    with pytest.raises(SemoError, match="already"):
        await specs.create(command_api(), wishes, as_json=False)
    with pytest.raises(SemoError, match="cannot be read"):
        specs.text_of(f"@{tmp_path / 'typo.md'}")

    await until(admin, "sign-in", "review")
    await specs.show(command_api(), "sign-in", as_json=False)
    assert "semo spec approve sign-in --version 1" in told()
    await specs.read(command_api(), "sign-in", "tasks.md", None)
    assert "tasks.md:2: - [ ] 2 The form (role: FE; depends on 1)" in told()
    with pytest.raises(SemoError, match=r"version 1 has no plan\.md"):
        await specs.read(command_api(), "sign-in", "plan.md", 1)
    comment = specs.comment_of("tasks.md:2: which form?")
    assert comment == {"text": "which form?", "document": "tasks.md", "line": 2}
    with pytest.raises(SemoError, match=r'"tasks\.md" has 4 lines'):
        await specs.move(command_api(), "sign-in", "versions/1/send-back", {"comments": [comment | {"line": 9}]})
    await specs.move(command_api(), "sign-in", "versions/1/send-back", {"comments": [comment]})
    await until(admin, "sign-in", "review")
    with pytest.raises(SemoError, match=r"version 1 of spec task .* is no longer the newest: that is version 2"):
        await specs.move(command_api(), "sign-in", "versions/1/approve")
    await specs.tell(command_api(), "sign-in", "mind the umlauts", None)
    with pytest.raises(SemoError, match="no work session"):
        await specs.tell(command_api(), "sign-in", "x", "9")
    await specs.move(command_api(), "sign-in", "versions/2/approve")
    assert "spec task sign-in is in implementation" in told()
    await until(admin, "sign-in", "done")
    await specs.list_all(command_api(), as_json=False)
    assert "sign-in" in told()
    with pytest.raises(SemoError, match="is done"):
        await specs.move(command_api(), "sign-in", "cancel")
    with pytest.raises(SemoError, match='no spec task "nobody"'):
        await specs.show(command_api(), "nobody", as_json=False)
    await specs.questions(command_api(), as_json=False)
    assert "no agent asks anything" in told()

    words = tmp_path / "words.md"
    words.write_text("{{title}} in {{folder}}")
    with pytest.raises(SemoError, match=r"\{\{done\}\} is missing"):
        await spec_prompts.save(command_api(), "planning", words, preview=False)
    words.write_text("{{title}} in {{folder}}, then {{done}}")
    await spec_prompts.save(command_api(), "planning", words, preview=True)
    assert told().endswith("Sign in in .semo/specs/sign-in, then [SEMO:DONE]")
    await spec_prompts.save(command_api(), "planning", words, preview=False)
    await spec_prompts.show(command_api(), "planning", None)
    shown = told()
    assert "are told version 1 from now on" in shown
    assert "{{title}} in {{folder}}, then {{done}}" in shown
    await spec_prompts.list_all(command_api(), as_json=False)
    assert "version 1" in told()
    await spec_prompts.reset(command_api(), "planning")
    await spec_prompts.show(command_api(), "planning", None)
    assert "Plan the following work." in told()
