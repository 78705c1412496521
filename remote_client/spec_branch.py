"""The branch of a spec task, `spec/{task}`, in one repository: reads, writes and merges on it without any worktree.

Only `.semo/specs/{task}` is ever written, and only branches of agents are merged. Nothing is checked out, so that no
agent's files move under it. Blocks: `spec_commands` runs it in threads.
"""

from dataclasses import dataclass

from remote_client.worktrees_git import Git
from remote_client.worktrees_locks import RepositoryLocks
from shared.errors import Conflict, InvalidPayload, NotFound, SessionFailed
from shared.payloads import DOCUMENT_MAX_BYTES, Committed, Documents, Merged

FOLDER = ".semo/specs"
AGENTS = "agent/"
FILES_NAMED = 20
DOCUMENTS_READ = 200
DOCUMENTS_MAX_BYTES = 2_097_152
"""Of all documents that are read at once."""

TRIES = 5
_WHO = ("-c", "user.name=SEMO Office", "-c", "user.email=office@semo.invalid", "-c", "commit.gpgSign=false")
_NOTHING = "0" * 40


@dataclass(frozen=True)
class SpecBranch:
    """`default_base`: what the branch begins at unless a command says otherwise."""

    git: Git
    locks: RepositoryLocks
    spec: str
    default_base: str

    @property
    def name(self) -> str:
        return f"spec/{self.spec}"

    @property
    def folder(self) -> str:
        return f"{FOLDER}/{self.spec}"

    def read(self) -> Documents:
        """What lies in its folder at its tip.

        Raises:
            NotFound: there is no such branch.
        """
        tip = self._tip()
        if tip is None:
            raise NotFound(f"there is no branch {self.name} in {self.git.folder}")
        found, skipped, left = dict[str, str](), dict[str, str](), DOCUMENTS_MAX_BYTES
        lines = self.git("ls-tree", "-r", "-z", "--long", "--full-tree", tip, f"{self.folder}/").split("\0")
        for line in filter(None, lines):
            facts, path = line.split("\t", 1)
            mode, kind, blob, size = facts.split()
            name = path.removeprefix(f"{self.folder}/")
            if kind != "blob" or mode == "120000":
                skipped[name] = "it is no file"
            elif not name.endswith((".md", ".json")):
                skipped[name] = "it is neither .md nor .json"
            elif int(size) > min(DOCUMENT_MAX_BYTES, left) or len(found) >= DOCUMENTS_READ:
                skipped[name] = (
                    f"it is too large ({size} bytes)" if int(size) > DOCUMENT_MAX_BYTES else "it is too much"
                )
            elif (text := self.git.text_of(blob)) is None:
                skipped[name] = "it is not UTF-8, or holds NUL"
            else:
                found[name], left = text, left - int(size)
        return Documents(commit=tip, documents=found, skipped=skipped)

    def write(self, documents: dict[str, str], message: str, base: str | None) -> Committed:
        """Commits documents into its folder. What is there already with the same text makes no commit.

        Raises:
            InvalidPayload: there is no such base.
        """
        for _ in range(TRIES):
            before = self._tip()
            parent = before or self._commit(base or self.default_base)
            tree = self._with(f"{parent}^{{tree}}", {f"{self.folder}/{name}": text for name, text in documents.items()})
            same = tree == self.git("rev-parse", f"{parent}^{{tree}}")
            commit = parent if same else self.git(*_WHO, "commit-tree", tree, "-p", parent, "-m", message)
            if self._move(commit, before):
                return Committed(commit=commit, changed=commit != before)
        raise SessionFailed(f"{self.name} moved each time that something was to be written on it")

    def merge(self, branch: str, base: str | None) -> Merged:
        """Merges an agent's branch. In the folder of the spec task, what stands on its branch wins.

        Raises:
            InvalidPayload: it is no branch of an agent.
            NotFound: it is not there.
        """
        if not branch.startswith(AGENTS):
            raise InvalidPayload(f'"{branch}" is no branch of an agent', advice="theirs begin with agent/")
        theirs = self.git.commit(f"refs/heads/{branch}")
        if theirs is None:
            raise NotFound(f"there is no branch {branch} in {self.git.folder}")
        for _ in range(TRIES):
            before = self._tip()
            ours = before or self._commit(base or self.default_base)
            merged, conflicts = self._merged(ours, theirs, branch)
            if conflicts:
                return Merged(commit=ours, changed=False, conflicts=conflicts[:FILES_NAMED])
            if self._move(merged, before):
                return Merged(commit=merged, changed=merged != before)
        raise SessionFailed(f"{self.name} moved each time that {branch} was to be merged into it")

    def _merged(self, ours: str, theirs: str, branch: str) -> tuple[str, list[str]]:
        if self.git.says_yes("merge-base", "--is-ancestor", theirs, ours):
            return ours, []
        if self.git.says_yes("merge-base", "--is-ancestor", ours, theirs):
            return theirs, []
        tree, conflicts = self._merge_trees(ours, theirs)
        own = [path for path in conflicts if path.startswith(f"{self.folder}/")]
        if len(own) < len(conflicts):
            return ours, [path for path in conflicts if path not in own]
        if own:
            tree = self._with_folder(tree, f"{ours}:{self.folder}")
        message = f"Merge {branch} into {self.name}"
        return self.git(*_WHO, "commit-tree", tree, "-p", ours, "-p", theirs, "-m", message), []

    def _merge_trees(self, ours: str, theirs: str) -> tuple[str, list[str]]:
        """The merged tree, and the files that conflict in it."""
        said = self.git.either_way("merge-tree", "--write-tree", "--name-only", "--no-messages", "-z", ours, theirs)
        tree, *files = [part for part in said.split("\0") if part]
        return tree, sorted(set(files))

    # Trees ------------------------------------------------------------------------------------------------------------

    def _with(self, tree: str, files: dict[str, str]) -> str:
        """A tree with these files in it, by their paths."""
        entries = self._entries(tree)
        inside: dict[str, dict[str, str]] = {}
        for path, text in files.items():
            first, _, rest = path.partition("/")
            if rest:
                inside.setdefault(first, {})[rest] = text
            else:
                entries[first] = f"100644 blob {self.git.fed(text, 'hash-object', '-w', '--stdin')}"
        for folder, its in inside.items():
            known = entries.get(folder, "").split()
            below = known[2] if known[1:2] == ["tree"] else ""
            entries[folder] = f"040000 tree {self._with(below, its)}"
        return self._made(entries)

    def _with_folder(self, tree: str, folder: str) -> str:
        """A tree whose folder of this spec task is another one."""
        wanted = self.git("rev-parse", folder)
        way = [""]
        for part in self.folder.split("/")[:-1]:
            way.append(f"{way[-1]}{part}/")
        for above in reversed(way):
            entries = self._entries(f"{tree}:{above}" if above else tree)
            name = self.folder.removeprefix(above).split("/")[0]
            entries[name] = f"040000 tree {wanted}"
            wanted = self._made(entries)
        return wanted

    def _entries(self, tree: str) -> dict[str, str]:
        if not tree:
            return {}
        found = (line.split("\t", 1) for line in self.git("ls-tree", "-z", tree).split("\0") if line)
        return {name: facts for facts, name in found}

    def _made(self, entries: dict[str, str]) -> str:
        return self.git.fed("".join(f"{facts}\t{name}\0" for name, facts in entries.items()), "mktree", "-z")

    # The branch -------------------------------------------------------------------------------------------------------

    def _tip(self) -> str | None:
        return self.git.commit(f"refs/heads/{self.name}")

    def _commit(self, base: str) -> str:
        commit = self.git.commit(base)
        if commit is None:
            raise InvalidPayload(f'there is no branch, tag or commit "{base}" in {self.git.folder}')
        return commit

    def _move(self, commit: str, before: str | None) -> bool:
        """Moves the branch, unless somebody else has moved it meanwhile.

        Raises:
            Conflict: it is checked out somewhere, where it must not move by itself.
        """
        with self.locks.alone():
            if self._tip() != before:
                return False
            if commit == before:
                return True
            listed = self.git("worktree", "list", "--porcelain").splitlines()
            if f"branch refs/heads/{self.name}" in listed:
                raise Conflict(
                    f"{self.name} is checked out in a worktree", advice="switch that worktree to another branch"
                )
            self.git("update-ref", f"refs/heads/{self.name}", commit, before or _NOTHING)
        return True
