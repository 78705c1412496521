"""Has an eye on the branches on which sessions work, and tells the office which pairs of them would conflict.

Gently: only when something moved, one git at a time, and never more than a small part of the time.
"""

import asyncio
import hashlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from remote_client.gitwork.forecast import Clash, Forecast, LiveBranch
from remote_client.gitwork.trees import require_merge_tree
from remote_client.office_link import OfficeLink
from remote_client.pool import Pool
from remote_client.session_maker import SessionMaker
from remote_client.sessions import Session
from remote_client.worktrees_git import Git
from remote_client.worktrees_repository import Repository
from shared.errors import Conflict, Refused, Unavailable
from shared.ids import OfficeId

log = structlog.get_logger(__name__)

REST_FACTOR = 10
"""After a look it rests at least this many times as long as the look took."""
FILES_TOLD = 100


@dataclass
class _Known:
    """Of one office. `seen`: by what a move is noticed; `told`: what the office was told last."""

    seen: object = None
    told: dict[str, Any] | None = None


class Forecaster:
    """`folder` is ours alone. `seconds`: how long it rests at least; 0: nothing is looked at."""

    def __init__(self, link: OfficeLink, pool: Pool, maker: SessionMaker, folder: Path, seconds: float) -> None:
        self._link = link
        self._pool = pool
        self._maker = maker
        self._folder = folder
        self._seconds = seconds
        self._forecasts: dict[Path, Forecast] = {}
        self._known: dict[OfficeId, _Known] = {}

    async def run(self) -> None:
        """Never ends by itself, unless it is not wanted."""
        spent = 0.0
        while self._seconds > 0:
            await asyncio.sleep(max(self._seconds, spent * REST_FACTOR))
            began = time.monotonic()
            for office_id in list(self._pool.terms):
                try:
                    await self.look(office_id)
                except Unavailable as error:
                    log.info("no forecast of conflicts now", error=error.detail)
                except Refused as error:
                    log.warning("no forecast of conflicts", error=error.detail)
                except OSError as error:
                    log.warning("no forecast of conflicts", error=str(error))
            spent = time.monotonic() - began

    async def look(self, office_id: OfficeId) -> None:
        """One look at the branches of an office. Tells the office what is new.

        Raises:
            OfficeError: it could not look, or not tell.
        """
        known = self._known.setdefault(office_id, _Known())
        sessions = [one for one in self._pool.sessions if one.office_id == office_id and not one.ending]
        moved = sorted((str(one.session_id), one.worktree.branch, one.head(), one.position) for one in sessions)
        if moved == known.seen:
            return
        found = await asyncio.to_thread(self._look, office_id, sessions) if sessions or known.told else None
        if found is not None and found != known.told:
            await self._link.report_conflicts(office_id, **found)
            known.told = found
        known.seen = moved

    def _look(self, office_id: OfficeId, sessions: list[Session]) -> dict[str, Any]:
        repository = self._maker.worktrees_of(office_id).look()
        try:
            require_merge_tree(repository.git)
        except Conflict as error:
            return {"branches": [], "pairs": [], "problem": f"{error.detail}: {error.advice}"}
        forecast = self._forecast_of(repository)
        live = {one.name: one for one in _published(repository)} | {one.name: one for one in _worked_on(sessions)}
        branches = forecast.as_they_are(live.values())
        return {
            "branches": [_told(one) for one in branches],
            "pairs": [_pair(clash) for clash in forecast.clashes(branches)],
            "problem": None,
        }

    def _forecast_of(self, repository: Repository) -> Forecast:
        if repository.common not in self._forecasts:
            name = hashlib.sha256(str(repository.common).encode()).hexdigest()[:16]
            self._forecasts[repository.common] = Forecast(repository.git, repository.common, self._folder / name)
        return self._forecasts[repository.common]


def _worked_on(sessions: list[Session]) -> list[LiveBranch]:
    found: list[LiveBranch] = []
    for session in sessions:
        tree, head = session.worktree, session.head()
        if head is None or not tree.path.exists():
            continue
        base = Git(tree.path).commit(tree.base)
        if base is not None:
            found.append(LiveBranch(tree.branch, head, base, tree.path, session.session_id))
    return found


def _published(repository: Repository) -> list[LiveBranch]:
    """Branches that were published and not merged yet, whether or not anybody works on them."""
    git = repository.git
    names = git("for-each-ref", "--format=%(refname:lstrip=3)", "refs/semo/published/").splitlines()
    found: list[LiveBranch] = []
    for name in names:
        head, base = git.commit(f"refs/heads/{name}"), git.commit(repository.default_base)
        if head is not None and base is not None:
            found.append(LiveBranch(name, head, base))
    return found


def _told(branch: LiveBranch) -> dict[str, Any]:
    session = str(branch.session_id) if branch.session_id is not None else None
    return {"branch": branch.name, "session_id": session, "uncommitted": branch.uncommitted}


def _pair(clash: Clash) -> dict[str, Any]:
    first, second = clash.first, clash.second
    return {
        "first_branch": first.name, "first_session": str(first.session_id) if first.session_id else None,
        "second_branch": second.name, "second_session": str(second.session_id) if second.session_id else None,
        "files": list(clash.files[:FILES_TOLD]), "files_total": len(clash.files), "uncommitted": clash.uncommitted,
    }  # fmt: skip
