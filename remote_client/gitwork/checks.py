"""Which checks a machine knows by name: those of its policy, and where that allows it those of the base branch.

What stands in a worktree never names a check: an agent could write it.
"""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from remote_client.policy import CheckName, CheckRule, Policy
from remote_client.worktrees_git import Git
from shared.errors import InvalidPayload, PolicyForbids

FILE = ".semo/checks.toml"
FILE_MAX_BYTES = 65_536
_RULES = TypeAdapter(dict[CheckName, CheckRule])


@dataclass(frozen=True)
class Check:
    name: str
    run: tuple[str, ...]
    timeout_s: float


def checks_named(names: Iterable[str], policy: Policy, git: Git, base: str, *, from_base: bool) -> list[Check]:
    """The checks of those names. `from_base`: `base` may name some, too; the policy's own come first.

    Raises:
        PolicyForbids: the machine knows none of that name.
        InvalidPayload: the file on the base branch says something that it may not.
    """
    rules = (_rules_on(git, base) if from_base else {}) | policy.checks
    found: list[Check] = []
    for name in dict.fromkeys(names):
        rule = rules.get(name)
        if rule is None:
            known = ", ".join(sorted(rules)) or "none"
            raise PolicyForbids(
                f'this machine knows no check "{name}"; it knows: {known}',
                advice=f"name it in the machine's policy as [checks.{name}] (docs/policy.md)",
            )
        found.append(Check(name, tuple(rule.run), rule.timeout_s))
    return found


def _rules_on(git: Git, base: str) -> dict[str, CheckRule]:
    entry = git("ls-tree", "-l", base, "--", FILE).split()
    if len(entry) < 4 or entry[1] != "blob":
        return {}
    where = f"{FILE} on {base}"
    if int(entry[3]) > FILE_MAX_BYTES:
        raise InvalidPayload(f"{where} is {entry[3]} bytes long; at most {FILE_MAX_BYTES} are read")
    try:
        content: dict[str, Any] = tomllib.loads(git("cat-file", "blob", entry[2]))
    except tomllib.TOMLDecodeError as error:
        raise InvalidPayload(f"{where}: {error}") from error
    if unknown := content.keys() - {"checks"}:
        raise InvalidPayload(f'{where}: unknown field "{min(unknown)}"; it holds [checks.NAME] and nothing else')
    try:
        return _RULES.validate_python(content.get("checks", {}))
    except ValidationError as error:
        problem = error.errors()[0]
        raise InvalidPayload(f"{where}: checks.{'.'.join(map(str, problem['loc']))}: {problem['msg']}") from error
