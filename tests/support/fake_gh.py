"""A stand-in for `gh` that keeps its pull requests in a file beside a bare repository, and merges in it by real git.

Run as a program: `fake_gh.py pr list|create|edit|merge …`, with SEMO_FAKE_GH naming its folder. Knows what we use of
gh and fails at all else. A file `refuses` in the folder makes it fail with those words.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

PROGRAM = '#!/bin/sh\nSEMO_FAKE_GH={folder} exec {python} {script} "$@"\n'


class FakeGh:
    """The test's side: where it is, what it holds, and what it was asked."""

    def __init__(self, folder: Path, origin: Path) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.program = folder / "gh"
        self.program.write_text(PROGRAM.format(folder=folder, python=sys.executable, script=__file__))
        self.program.chmod(0o755)
        (folder / "origin").write_text(str(origin))
        self.write([])

    @property
    def pull_requests(self) -> list[dict[str, Any]]:
        return json.loads((self.folder / "pulls.json").read_text())

    def write(self, pulls: list[dict[str, Any]]) -> None:
        (self.folder / "pulls.json").write_text(json.dumps(pulls))

    def change(self, number: int, **facts: Any) -> None:
        """What happens on GitHub without us."""
        self.write([one | facts if one["number"] == number else one for one in self.pull_requests])

    def refuses(self, words: str | None) -> None:
        path = self.folder / "refuses"
        path.unlink(missing_ok=True) if words is None else path.write_text(words)

    @property
    def asked(self) -> list[list[str]]:
        log = self.folder / "asked"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def _git(origin: Path, *arguments: str) -> str:
    who = {"GIT_AUTHOR_NAME": "Hub", "GIT_AUTHOR_EMAIL": "hub@example.invalid"}
    who |= {"GIT_COMMITTER_NAME": "Hub", "GIT_COMMITTER_EMAIL": "hub@example.invalid"}
    done = subprocess.run(
        ["git", "-C", str(origin), *arguments], capture_output=True, text=True, check=False, env={**os.environ, **who}
    )
    if done.returncode:
        sys.exit(f"git {arguments[0]}: {done.stderr}{done.stdout}")
    return done.stdout.strip()


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _options(words: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    while words:
        word = words.pop(0)
        if word in ("--merge", "--squash", "--rebase"):
            found["method"] = word[2:]
        elif word.startswith("--"):
            found[word[2:]] = words.pop(0)
        else:
            found["number"] = word
    return found


def _shown(origin: Path, one: dict[str, Any]) -> dict[str, Any]:
    if one["state"] == "OPEN":
        one = one | {"headRefOid": _git(origin, "rev-parse", f"refs/heads/{one['headRefName']}")}
    return one


def _list(origin: Path, pulls: list[dict[str, Any]], options: dict[str, str]) -> None:
    mine = [one for one in pulls if (one["headRefName"], one["baseRefName"]) == (options["head"], options["base"])]
    fields = options["json"].split(",")
    _say(json.dumps([{name: _shown(origin, one).get(name) for name in fields} for one in mine]))


def _create(origin: Path, pulls: list[dict[str, Any]], options: dict[str, str]) -> None:
    head = _git(origin, "rev-parse", f"refs/heads/{options['head']}")
    number = len(pulls) + 1
    one: dict[str, Any] = {"number": number, "url": f"https://github.invalid/acme/web/pull/{number}", "state": "OPEN"}
    one |= {"headRefName": options["head"], "baseRefName": options["base"], "headRefOid": head, "labels": []}
    one |= {"title": options["title"], "body": options["body"], "statusCheckRollup": [], "mergeStateStatus": "CLEAN"}
    pulls.append(one)
    _say(str(one["url"]))


def _merge(origin: Path, pulls: list[dict[str, Any]], options: dict[str, str]) -> None:
    one = next(pull for pull in pulls if pull["number"] == int(options["number"]))
    base, head = (_git(origin, "rev-parse", f"refs/heads/{one[name]}") for name in ("baseRefName", "headRefName"))
    if head != options["match-head-commit"]:
        sys.exit("head commit does not match")
    tree = _git(origin, "merge-tree", "--write-tree", base, head).splitlines()[0]
    parents = ["-p", base] if options["method"] == "squash" else ["-p", base, "-p", head]
    commit = _git(origin, "commit-tree", tree, *parents, "-m", f"Merge pull request #{one['number']}")
    _git(origin, "update-ref", f"refs/heads/{one['baseRefName']}", commit, base)
    one |= {"state": "MERGED", "headRefOid": head}
    pulls[:] = [one if pull["number"] == one["number"] else pull for pull in pulls]


def main(arguments: list[str]) -> None:
    folder = Path(os.environ["SEMO_FAKE_GH"])
    with (folder / "asked").open("a") as log:
        log.write(json.dumps(arguments) + "\n")
    if (folder / "refuses").exists():
        sys.exit((folder / "refuses").read_text())
    origin, pulls = Path((folder / "origin").read_text()), json.loads((folder / "pulls.json").read_text())
    what, options = arguments[:2], _options(arguments[2:])
    if what == ["pr", "list"]:
        _list(origin, pulls, options)
    elif what == ["pr", "create"]:
        _create(origin, pulls, options)
    elif what == ["pr", "edit"]:
        if options["add-label"] == "no-such-label":
            sys.exit("could not add label: 'no-such-label' not found")
        next(pull for pull in pulls if pull["number"] == int(options["number"]))["labels"].append(options["add-label"])
    elif what == ["pr", "merge"]:
        _merge(origin, pulls, options)
    else:
        sys.exit(f"unknown command {arguments}")
    (folder / "pulls.json").write_text(json.dumps(pulls))


if __name__ == "__main__":
    main(sys.argv[1:])
