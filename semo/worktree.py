"""`semo worktree`: what agents left in their worktrees on this machine, brought up to date or cleared away.

Goes by the machine's policy alone; no office and no running client is needed. How git is used is in `remote_client`.
"""

from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict
from pathlib import Path

from rich.table import Table

from remote_client import persona
from remote_client.policy import load_policy
from remote_client.worktrees import Worktrees
from remote_client.worktrees_repository import Listed, Worktree
from remote_client.worktrees_sync import SyncBy
from semo import console
from semo.problems import Exit, SemoError
from shared.errors import Conflict, OfficeError, Unavailable


async def show(policy: Path, *, as_json: bool) -> None:
    """Prints every worktree of every repository that the policy names."""
    found = [(each, one) for each in _repositories(policy) for one in await _list(each)]
    if as_json:
        console.machine([asdict(one) | {"repository": each.repository} for each, one in found])
        return
    table = Table("worktree", "branch", "base", "commits", "state", box=None, pad_edge=False)
    for _, one in found:
        counts = f"+{one.ahead} -{one.behind}"
        table.add_row(f"{one.role}/{one.task}", one.branch, one.base, counts, _state_of(one))
    console.table(table) if found else console.step("no agent has worked here yet")


async def sync(policy: Path, name: str, by: SyncBy | None, *, fetch: bool) -> None:
    """Brings one worktree up to its base."""
    async with _held(policy, name) as (worktrees, worktree):
        synced = await worktrees.sync(worktree, by, fetch=fetch)
        await worktrees.give_back(worktree)
        console.good(f"{name} on {worktree.base} ({synced.onto[:10]}): {synced.how}")


async def remove(policy: Path, name: str, *, even_with_work: bool) -> None:
    """Removes one worktree and its branch."""
    async with _held(policy, name) as (worktrees, worktree):
        await worktrees.remove(worktree, even_with_work=even_with_work)
        console.good(f"removed {worktree.path} and its branch {worktree.branch}")


def _repositories(policy: Path) -> list[Worktrees]:
    """Each once, however many offices share it."""
    with _in_words():
        rules = load_policy(policy)
        each = [
            (rules.require_allowed(one.path), rules.require_allowed(one.worktrees), one.base)
            for one in rules.repositories
        ]
    return [Worktrees(path, workspace, base) for path, workspace, base in {one[:2]: one for one in each}.values()]


async def _list(worktrees: Worktrees) -> list[Listed]:
    with _in_words():
        return await worktrees.list()


@asynccontextmanager
async def _held(policy: Path, name: str) -> AsyncGenerator[tuple[Worktrees, Worktree]]:
    """The worktree that `ROLE/TASK` names, in our hands, without a persona that a crash may have left in it."""
    role, _, task = name.partition("/")
    with _in_words():
        every = _repositories(policy)
        homes = [each for each in every for one in await each.list() if (one.role, one.task) == (role, task)]
        if len(homes) != 1:
            problem = "several repositories have a" if homes else "there is no"
            raise SemoError(f"{problem} worktree {name}", do="see: semo worktree list", exit_code=Exit.USAGE)
        worktree = await homes[0].take_as_it_is(role, task)
        try:
            await persona.remove(worktree.path)
            yield homes[0], worktree
        except OfficeError:
            await homes[0].give_back(worktree)
            raise


@contextmanager
def _in_words() -> Generator[None]:
    try:
        yield
    except OfficeError as error:
        code = Exit.NOT_DONE if isinstance(error, Conflict | Unavailable) else Exit.REFUSED
        raise SemoError(error.detail, do=error.advice or "", exit_code=code) from error


def _state_of(one: Listed) -> str:
    states = [
        one.trouble,
        "a session works in it" if one.owned else None,
        "uncommitted work" if one.uncommitted else None,
        "unmerged work" if one.ahead else None,
    ]
    return ", ".join(state for state in states if state) or "free"
