"""A branch of ours in a repository, and what it stands for on the remote: names, tips, what it changed.

Blocks: its callers run it in threads. Only branches that the client made (`agent/…`) are ever handed out.
"""

from dataclasses import dataclass

from remote_client.worktrees_git import Git
from remote_client.worktrees_place import Place, worktrees_known
from remote_client.worktrees_repository import SCRATCH, Repository, branch_of
from shared.errors import Conflict, NotFound, PolicyForbids, SessionFailed, Unavailable

PREFIX = "agent/"
NETWORK_SECONDS = 120.0
FILES_NAMED = 200


@dataclass(frozen=True)
class Branch:
    """`base`: the branch of the remote that it goes into, as `main`."""

    repository: Repository
    name: str
    base: str
    remote: str

    @property
    def git(self) -> Git:
        return self.repository.git

    @property
    def reference(self) -> str:
        return f"refs/heads/{self.name}"

    @property
    def published_reference(self) -> str:
        """Keeps the commit that we pushed last."""
        return f"refs/semo/published/{self.name}"

    @property
    def remote_base(self) -> str:
        return f"refs/remotes/{self.remote}/{self.base}"

    def tip(self) -> str:
        """
        Raises:
            NotFound: there is no such branch.
        """
        commit = self.git.commit(self.reference)
        if commit is None:
            raise NotFound(f"there is no branch {self.name} in {self.git.folder}")
        return commit

    def tip_on_remote(self) -> str | None:
        """What the remote has under its name now.

        Raises:
            Unavailable: the remote did not answer.
        """
        return self._ask_remote(self.reference)

    def _ask_remote(self, reference: str) -> str | None:
        try:
            answer = self.git("ls-remote", self.remote, reference, seconds=NETWORK_SECONDS)
        except SessionFailed as error:
            raise Unavailable(f"{self.remote} does not answer: {error.detail}") from error
        return answer.split()[0] if answer else None

    def fetch_base(self) -> str:
        """The tip of the remote's base, now here as `remote_base`.

        Raises:
            NotFound: the remote has no such branch.
            Unavailable: the remote did not answer.
        """
        if self._ask_remote(f"refs/heads/{self.base}") is None:
            raise NotFound(f"{self.remote} has no branch {self.base}", advice="push it once, or name another base")
        refspec = f"+refs/heads/{self.base}:{self.remote_base}"
        try:
            with self.repository.locks.alone("fetch"):
                self.git(
                    "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", self.remote, refspec,
                    seconds=NETWORK_SECONDS,
                )  # fmt: skip
        except SessionFailed as error:
            raise Unavailable(f"{self.remote} could not be fetched: {error.detail}") from error
        return self.git("rev-parse", "--verify", self.remote_base)

    def is_in(self, commit: str, into: str) -> bool:
        return self.git.says_yes("merge-base", "--is-ancestor", commit, into)

    def changed(self, base: str, head: str) -> list[str]:
        """The files that differ from where the branch left its base."""
        start = self.git.find("merge-base", base, head)
        return self.git.names("diff", "--name-only", "--no-renames", "-z", start, head) if start else []

    def place(self) -> Place:
        """Where its worktree is, or would be."""
        root = self.repository.workspace.resolve()
        for known in worktrees_known(self.git):
            parts = known.path.relative_to(root).parts if root in known.path.parents else ()
            if len(parts) == 2 and parts[0] != SCRATCH and branch_of(*parts) == self.name:
                return self.repository.place(*parts)
        role, _, task = self.name.removeprefix(PREFIX).partition("-")
        return self.repository.place(role, task)

    def names_of_place(self) -> tuple[str, str]:
        """Its role and task, as its place has them."""
        path = self.place().path
        return path.parent.name, path.name


def branch_named(repository: Repository, name: str, base: str | None, remote: str) -> Branch:
    """
    Raises:
        PolicyForbids: it is not one of ours.
        NotFound: there is no such branch.
        Conflict: the repository has no such remote.
    """
    if not name.startswith(PREFIX):
        raise PolicyForbids(f"{name} is not a branch of an agent's ({PREFIX}…): nobody else's is touched")
    branch = Branch(repository, name, "", remote)
    branch.tip()
    if remote not in repository.git("remote").split():
        raise Conflict(
            f"the repository {repository.git.folder} has no remote {remote}: there is nowhere to push to",
            advice=f"git remote add {remote} URL, or name another in the policy ([pull_requests] remote)",
        )
    into = base or repository.base_of(branch.place(), None)
    if not repository.git.says_yes("check-ref-format", "--branch", into):
        raise NotFound(f'"{into}" is no branch')
    return Branch(repository, name, into.removeprefix(f"{remote}/"), remote)
