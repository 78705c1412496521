"""The persona over a session's life: worn, kept current, asked about after each turn, and taken off."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import UUID

from tests.integration.remote_client.office import Machine, Office, git

NewMachine = Callable[..., Awaitable[Machine]]

DONE = "echo '[SEMO:DONE]'"


async def own_persona(office: Office, scope: list[str]) -> None:
    """The office gives BE a persona of its own, as rendered."""
    await office.sql(
        "insert into agent_personas (office_id, role, name, persona_prompt, scope_patterns, rendered, rendered_version)"
        " values (%s, 'BE', 'Own', 'x', %s, 'You are version 1.', 1)",
        office.office_id, scope,
    )  # fmt: skip


async def change_persona(office: Office, text: str, scope: list[str]) -> None:
    await office.sql(
        "update agent_personas set persona_prompt = %s, scope_patterns = %s where office_id = %s",
        text, scope, office.office_id,
    )  # fmt: skip
    await office.sql(
        "update agent_personas set rendered = %s, rendered_version = version where office_id = %s",
        text, office.office_id,
    )  # fmt: skip


async def worktree_of(office: Office, session: UUID) -> Path:
    [row] = await office.sql("select worktree_path from agent_sessions where id = %s", session)
    return Path(row["worktree_path"])


async def scope_evidence(office: Office, session: UUID, prompt: str) -> list[str]:
    """The files that a turn is reported to have changed outside the scope."""
    turn = await office.do("send_prompt", {"text": f"{prompt}\n{DONE}"}, session_id=session)
    assert turn.status == "completed", turn
    return [file for one in turn.result["evidence"] if one["kind"] == "scope" for file in one["outside"]]


async def test_an_idle_session_takes_a_new_version_before_its_next_prompt(office: Office, machine: NewMachine) -> None:
    await own_persona(office, ["src/**"])
    await (await machine()).start()
    session = await office.session(task="worn")
    file = await worktree_of(office, session) / ".claude/CLAUDE.md"
    assert "You are version 1." in file.read_text()
    await change_persona(office, "You are version 2.", ["docs/**"])

    turn = await office.do(
        "send_prompt", {"text": f"cat .claude/CLAUDE.md; git status --short\n{DONE}"}, session_id=session
    )

    assert turn.status == "completed", turn
    output = await office.output_of(session)
    assert "You are version 2." in output
    assert "You are version 1." not in output
    assert await office.sql("select 1 from agent_sessions where id = %s and persona_version = 2", session)
    assert await scope_evidence(office, session, "mkdir docs; echo > docs/a; echo > b.txt") == ["b.txt"]


async def test_a_persona_that_the_agent_deleted_is_back_at_the_next_prompt(office: Office, machine: NewMachine) -> None:
    await own_persona(office, [])
    await (await machine()).start()
    session = await office.session(task="worn")
    assert await scope_evidence(office, session, "rm -r .claude") == []

    await scope_evidence(office, session, "true")

    assert "You are version 1." in (await worktree_of(office, session) / ".claude/CLAUDE.md").read_text()


async def test_files_changed_outside_the_scope_are_in_the_evidence(office: Office, machine: NewMachine) -> None:
    await own_persona(office, ["src/**", "*.md", "!src/generated/**"])
    await (await machine()).start()
    session = await office.session(task="scoped")

    assert await scope_evidence(office, session, "mkdir -p src/deep docs; echo > src/deep/a.py; echo > docs/b.md") == []
    left = "mkdir src/generated; echo > src/generated/c.py; echo > 'with space.txt'"
    assert await scope_evidence(office, session, left) == ["src/generated/c.py", "with space.txt"]
    two = "git add -A; git commit -qm one; echo > Makefile; git add -A; git commit -qm two"
    commit = f"{two}; git rm -q Makefile; git commit -qm three"
    assert await scope_evidence(office, session, commit) == ["Makefile", "src/generated/c.py", "with space.txt"]
    assert await scope_evidence(office, session, "echo quiet") == []


async def test_what_comes_in_from_the_base_is_not_the_turns_doing(
    office: Office, machine: NewMachine, repository: Path
) -> None:
    await own_persona(office, ["src/**"])
    await (await machine()).start()
    session = await office.session(task="scoped")
    await scope_evidence(office, session, "mkdir src; echo > src/a; git add -A; git commit -qm own")
    (repository / "Makefile").write_text("all:\n")
    git("-C", str(repository), "add", ".")
    git("-C", str(repository), "commit", "--quiet", "-m", "base work")

    assert await scope_evidence(office, session, "git merge -q --no-edit main") == []


async def test_a_session_that_has_ended_leaves_nothing_of_the_persona(office: Office, machine: NewMachine) -> None:
    await own_persona(office, [])
    await (await machine()).start()
    session = await office.session(task="worn")
    worktree = await worktree_of(office, session)
    assert (worktree / ".claude/CLAUDE.md").exists()

    await office.do("terminate", session_id=session)

    assert not (worktree / ".claude").exists()
    assert "semo" not in git("-C", str(worktree), "config", "--list")
