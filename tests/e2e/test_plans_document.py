"""The examples of docs/plans.md are applied as they stand there."""

import re
from pathlib import Path

import pytest

from tests.support.running_office import RunningOffice, semo

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(240)]

DOCUMENT = (Path(__file__).parents[2] / "docs" / "plans.md").read_text()
EXAMPLES = {
    match[1]: match[2]
    for match in re.finditer(r"^## ([^\n]+)\n(?:(?!^## ).)*?```yaml\n(.*?)```", DOCUMENT, re.MULTILINE | re.DOTALL)
}


async def test_each_way_to_build_a_plan_has_an_example() -> None:
    assert list(EXAMPLES) == ["Waves", "Epics", "A graph", "Prompts"]


@pytest.mark.parametrize("kind", EXAMPLES)
async def test_an_example_runs_to_its_end(office: RunningOffice, tmp_path: Path, kind: str) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text(EXAMPLES[kind])
    said = await semo("plan", "apply", str(file), "--data", str(office.data), "--follow")
    assert said.exit_code == 0, said.out + said.err + office.logs()
    assert "is done" in said.out
