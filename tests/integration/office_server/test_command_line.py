"""The command line's own way through templates, executions, limits and events, against a server that runs."""

from collections.abc import Callable
from pathlib import Path

import pytest

from semo import events, executions, plan, templates
from semo.office_api import OfficeApi
from semo.plan import limits_of
from semo.problems import Exit, SemoError
from tests.integration.office_server.conftest import Api
from tests.integration.office_server.machine import Machine

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_template_is_saved_queued_followed_and_found_in_what_the_office_tells(
    admin: Api, machine: Machine, tmp_path: Path, command_api: Callable[[], OfficeApi], told: Callable[[], str]
) -> None:
    await templates.list_all(command_api(), as_json=False)
    assert "semo template save NAME FILE" in told()
    file = tmp_path / "review.txt"
    file.write_text("review {{file}} {{how}}")
    parameters = templates.parameters_of(["file", "how=well"], may_be_bare=True)
    await templates.save(command_api(), "review", file, parameters, {"role": "QA"})
    await templates.list_all(command_api(), as_json=False)
    assert "review 1 file, how=well" in told()
    await templates.show(command_api(), "review")
    assert "review {{file}} {{how}}" in told()

    with pytest.raises(SemoError, match="give prompts, or a template"):
        executions.wish_of([], {}, None, [], {})
    wish = executions.wish_of([], {"role": None}, "review", ["file=a.py"], {"priority": 5})
    async with command_api() as office:
        queued = await office.post("/executions", wish)
    [job] = queued["jobs"]
    assert (job["prompt"], job["role"], job["priority"]) == ("review a.py well", "QA", 5)
    execution = str(job["execution"]["id"])
    assert await executions.follow(command_api(), execution[:8]) is Exit.DONE
    assert "is completed" in told()
    await executions.show(command_api(), execution[:8], as_json=False)
    assert "status completed" in told()
    await executions.list_all(command_api(), active=False, as_json=False)
    assert execution[:8] in told()
    await executions.list_all(command_api(), active=True, as_json=False)
    assert "nothing runs" in told()
    with pytest.raises(SemoError, match="is completed"):
        await executions.kill(command_api(), execution)
    with pytest.raises(SemoError, match='there is no execution "ffff"'):
        await executions.show(command_api(), "ffff", as_json=False)
    await executions.clean(command_api(), 0)
    assert "removed: 0 executions" in told()

    await events.follow(command_api(), "0-0", ["execution", "plan.done", "template"], to_now=True, as_json=False)
    lines = told()
    steps = ("template.saved", "execution.started", "execution.completed", "plan.done")
    assert [lines.index(step) for step in steps] == sorted(lines.index(step) for step in steps)
    assert f"execution {execution[:8]}" in lines
    with pytest.raises(SemoError, match="pattern"):
        await events.follow(command_api(), "yesterday", [], to_now=True, as_json=False)


async def test_limits_are_written_as_roles_and_numbers() -> None:
    assert limits_of(6, ["QA=1", "BE=2"]) == {"running": 6, "roles": {"QA": 1, "BE": 2}}
    assert limits_of(None, []) == {}
    with pytest.raises(SemoError, match="names no role and number"):
        limits_of(None, ["QA"])


async def test_of_a_plan_with_very_many_jobs_those_are_shown_that_somebody_may_act_on(
    command_api: Callable[[], OfficeApi], told: Callable[[], str]
) -> None:
    jobs = [{"name": f"job-{number}", "prompt": "true"} for number in range(1, 251)]
    async with command_api() as office:
        made = await office.post("/plans", {"name": "long", "defaults": {"role": "BE"}, "waves": [jobs[:1], jobs[1:]]})
        await plan.show(office, made, everything=False)
        short = told()
        await office.post(f"/plans/{made['id']}/cancel", {})
        await plan.show(office, await office.get(f"/plans/{made['id']}"), everything=True)
    assert "job-200" not in short
    assert f"semo plan show {made['id']} --all" in " ".join(short.split())
    assert "job-250 " in told()
