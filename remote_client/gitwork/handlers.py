"""What the commands about work in git do here: check_work, read_work, publish_branch and those of its pull request.

Asks the policy first. One at a time of those that touch the branches of a repository; git and gh run in threads.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from remote_client import persona
from remote_client.commands import Completion, Hold
from remote_client.gitwork import conditions, looking, merging, publishing
from remote_client.gitwork.branch import Branch, branch_named
from remote_client.gitwork.checks import Check, checks_named
from remote_client.gitwork.hub import Hub
from remote_client.gitwork.merging import MergedBranch
from remote_client.policy import Policy
from remote_client.pool import Pool
from remote_client.session_maker import SessionMaker
from remote_client.sessions import Session
from remote_client.worktrees import Worktrees
from remote_client.worktrees_git import Git
from shared.errors import Conflict, NotFound, OfficeError, PolicyForbids, SessionFailed
from shared.ids import OfficeId, SessionId
from shared.payloads import CheckWork, FollowPullRequest, MergeBranch, Payload, PublishBranch, ReadWork


class GitWork:
    """`redact` takes secrets out of what a check put out."""

    def __init__(
        self, maker: SessionMaker, pool: Pool, policy: Policy, redact: Callable[[str], str] = lambda text: text
    ) -> None:
        self._maker = maker
        self._pool = pool
        self._policy = policy
        self._redact = redact
        self._one_at_a_time: defaultdict[Path, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._checking: dict[SessionId, asyncio.Task[Any]] = {}

    # Checking ---------------------------------------------------------------------------------------------------------

    async def check_work(self, hold: Hold, payload: Payload) -> Completion:
        """Looks whether a session's work holds what was asked. That it does not is an answer, no error."""
        assert isinstance(payload, CheckWork)  # noqa: S101  by the table of payloads
        session = self._pool.session(hold.command.session_id)
        checks = await self._checks(session, payload.checks or [])
        hold.check()
        task = asyncio.create_task(self._look(session, payload, checks))
        self._checking[session.session_id] = task
        try:
            return Completion(True, await task)
        except asyncio.CancelledError:
            if task.cancelled() and not _being_cancelled():
                raise Conflict("the checks were stopped: their session was cancelled or ended") from None
            task.cancel()
            await asyncio.wait({task})
            raise
        finally:
            self._checking.pop(session.session_id, None)

    async def stop_checks(self, session_id: SessionId | None) -> None:
        """Ends the checks that run in a session's worktree, with all their processes."""
        task = self._checking.get(session_id) if session_id is not None else None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})

    async def _checks(self, session: Session, names: list[str]) -> list[Check]:
        if not names:
            return []
        rule = self._maker.repository_of(session.office_id)
        repository = await asyncio.to_thread(session.worktrees.look)

        def read() -> list[Check]:
            # The repository's own base: one that a session was asked to start from may be anybody's branch.
            base = repository.default_base
            return checks_named(names, self._policy, repository.git, base, from_base=rule.checks_from_base)

        return await asyncio.to_thread(read)

    async def _look(self, session: Session, wanted: CheckWork, checks: list[Check]) -> dict[str, Any]:
        here = Git(session.worktree.path)
        seconds = wanted.timeout_s or self._policy.limits.run_time_s
        environment = self._policy.environment_for_agents()
        work = await asyncio.to_thread(conditions.work_in, here, session.worktree.base, wanted.since)
        found = conditions.of_files(wanted, work)
        for check in checks:
            found.append(await conditions.of_check(check, here, environment, seconds, self._redact))
        told: dict[str, Any] = {
            "session_id": str(session.session_id), "branch": session.worktree.branch, "base": session.worktree.base,
            "start": work.start, "head": work.head, "commits": work.commits,
            "changed": work.changed[: conditions.FILES_NAMED], "changed_total": len(work.changed),
            "holds": all(one["holds"] for one in found), "conditions": found,
            "takes_scripts": session.adapter.abilities.takes_scripts,
        }  # fmt: skip
        return {name: value for name, value in told.items() if value is not None}

    async def read_work(self, hold: Hold, payload: Payload) -> Completion:
        """What a session's work changed, and the pictures in it; or one of these."""
        assert isinstance(payload, ReadWork)  # noqa: S101
        if not self._policy.work.show:
            raise PolicyForbids(
                "the policy of this machine keeps what lies in worktrees to itself", advice="set show = true in [work]"
            )
        session = self._pool.session(hold.command.session_id)
        here = Git(session.worktree.path)
        self._policy.require_session(session.agent, here.folder)
        base, picture = session.worktree.base, payload.picture
        if picture is None:
            return Completion(True, await asyncio.to_thread(looking.look, here, base))
        return Completion(True, await asyncio.to_thread(looking.read_picture, here, base, picture))

    # Publishing -------------------------------------------------------------------------------------------------------

    async def publish_branch(self, hold: Hold, payload: Payload) -> Completion:
        assert isinstance(payload, PublishBranch)  # noqa: S101
        self._require_push()

        def work(branch: Branch, hub: Hub | None) -> dict[str, Any]:
            return publishing.publish(branch, hub, payload.title, payload.body or "", payload.labels or []).told()

        return Completion(True, await self._on_branch(hold, payload.branch, payload.base, work))

    async def follow_pull_request(self, hold: Hold, payload: Payload) -> Completion:
        assert isinstance(payload, FollowPullRequest)  # noqa: S101
        self._require_push()

        def work(branch: Branch, hub: Hub | None) -> dict[str, Any]:
            return publishing.follow(branch, hub).told()

        return Completion(True, await self._on_branch(hold, payload.branch, payload.base, work))

    async def merge_branch(self, hold: Hold, payload: Payload) -> Completion:
        assert isinstance(payload, MergeBranch)  # noqa: S101
        self._require_push()
        if not self._policy.pull_requests.merge:
            raise PolicyForbids(
                "the policy of this machine does not allow to merge", advice="set merge = true in [pull_requests]"
            )
        merged: list[MergedBranch] = []

        def work(branch: Branch, hub: Hub | None) -> dict[str, Any]:
            merged.append(merging.merge(branch, hub, payload.method or "merge"))
            return {"branch": branch.name, "base": branch.base, "remote": branch.remote} | asdict(merged[0])

        try:
            told = await self._on_branch(hold, payload.branch, payload.base, work)
        except Conflict as error:
            if not (files := error.context.get("files")):
                raise
            return Completion(False, {"branch": payload.branch, "files": files}, error.code, error.detail)
        if merged[0].state == "merged":
            await self._forget(hold.command.office_id, payload.branch)
            kept = "it was to be kept" if payload.keep_worktree else None
            kept = kept or await self._clean(hold.command.office_id, payload.branch, merged[0].head)
            told |= {"worktree": "kept" if kept else "removed"} | ({"kept_because": kept} if kept else {})
        return Completion(True, {name: value for name, value in told.items() if value is not None})

    def _require_push(self) -> None:
        if not self._policy.pull_requests.push:
            raise PolicyForbids(
                "the policy of this machine lets no branch leave it", advice="set push = true in [pull_requests]"
            )

    async def _on_branch(
        self, hold: Hold, name: str, base: str | None, work: Callable[[Branch, Hub | None], dict[str, Any]]
    ) -> dict[str, Any]:
        rules = self._policy.pull_requests
        worktrees = self._maker.worktrees_of(hold.command.office_id)
        async with self._one_at_a_time[worktrees.repository]:
            hold.check()
            repository = await asyncio.to_thread(worktrees.look)
            hub = Hub(rules.gh, worktrees.repository) if rules.gh is not None else None

            def run() -> dict[str, Any]:
                return work(branch_named(repository, name, base, rules.remote), hub)

            return await asyncio.to_thread(run)

    async def _clean(self, office_id: OfficeId, name: str, head: str) -> str | None:
        """Removes the worktree and the branch of what is merged. Returns why they stay; None when they are gone."""
        worktrees = self._maker.worktrees_of(office_id)
        try:
            return await self._remove(worktrees, name, head)
        except OfficeError as error:
            return error.detail

    async def _remove(self, worktrees: Worktrees, name: str, head: str) -> str | None:
        rules = self._policy.pull_requests
        repository = await asyncio.to_thread(worktrees.look)
        branch = await asyncio.to_thread(branch_named, repository, name, None, rules.remote)
        role, task = await asyncio.to_thread(branch.names_of_place)
        try:
            worktree = await worktrees.take_as_it_is(role, task)
        except NotFound:
            return await asyncio.to_thread(_drop_branch, branch, head)
        removed = False
        try:
            await persona.remove(worktree.path)

            def state() -> str | None:
                place = repository.place(role, task)
                if not place.is_on_branch() or place.unfinished() or branch.git.at(place.path).commit("HEAD") != head:
                    return "there is more in it than what was merged"
                return None if place.is_clean(branch.git) else "it holds uncommitted work"

            if why := await asyncio.to_thread(state):
                return why
            await worktrees.remove(worktree, even_with_work=True)  # all of it is in the base
            removed = True
        finally:
            if not removed:
                await worktrees.give_back(worktree)
        return None

    async def _forget(self, office_id: OfficeId, name: str) -> None:
        """It no longer waits to be merged."""
        worktrees = self._maker.worktrees_of(office_id)
        await asyncio.to_thread(lambda: worktrees.look().git("update-ref", "-d", f"refs/semo/published/{name}"))


def _drop_branch(branch: Branch, head: str) -> str | None:
    if branch.git.commit(branch.reference) == head:
        try:
            branch.git("branch", "--quiet", "-D", branch.name)
        except SessionFailed as error:
            return error.detail
    else:
        return "there is more on it than what was merged"
    return None


def _being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
