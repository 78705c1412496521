"""A policy that changes while the client runs: the new version holds at once, a wrong one changes nothing."""

from pathlib import Path
from typing import Any

import pytest

from remote_client.policy import Policy, load_policy
from remote_client.policy_watch import PolicyWatch
from shared.errors import InvalidPayload, PolicyForbids

FIRST = 'allowed_roots = ["/src"]\ndefault_agent = "shell"\n[agents.shell]\n'


class Watched:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.path.write_text(FIRST)
        self.policy = load_policy(path)
        self.put: list[Policy] = []
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.refuses = False
        self.watch = PolicyWatch(path, self.policy, self._put, self._tell, self._report)

    async def _put(self, policy: Policy) -> None:
        if self.refuses:
            raise InvalidPayload("[agents.shell] permission_mode: it has none")
        self.put.append(policy)

    def _tell(self, kind: str, detail: dict[str, Any]) -> None:
        self.told.append((kind, detail))

    async def _report(self) -> None:
        raise AssertionError("looked at by hand")

    async def now(self, text: str) -> None:
        self.path.write_text(text)
        await self.watch.look()


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path / "policy.toml")


async def test_whoever_holds_the_policy_holds_the_new_one(watched: Watched) -> None:
    held = watched.policy
    await watched.now(FIRST + "[limits]\nprompt_max_bytes = 3\n")
    with pytest.raises(PolicyForbids, match=r"limits\.prompt_max_bytes"):
        held.require_prompt("long")
    assert watched.told == [("policy_changed", {"in": ["limits"]})]
    assert len(watched.put) == 1


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (FIRST + "[limits]\nprompt_maxbytes = 3\n", "policy.toml: line 5: limits.prompt_maxbytes: there is no such"),
        (FIRST + "[limits\n", "line 4"),
        ("", "allowed_roots"),
    ],
)
async def test_a_wrong_version_is_told_with_its_line_and_the_old_one_stays(
    watched: Watched, text: str, problem: str
) -> None:
    before = watched.policy.model_copy(deep=True)
    await watched.now(text)
    await watched.watch.look()
    [(kind, detail)] = watched.told
    assert kind == "policy_refused"
    assert problem in detail["problem"]
    assert (watched.policy, watched.put) == (before, [])
    await watched.now(FIRST + "[limits]\nmax_sessions = 2\n")
    assert watched.policy.limits.max_sessions == 2, "mended, it holds"


async def test_what_cannot_be_made_use_of_is_not_put_in_force(watched: Watched) -> None:
    watched.refuses = True
    await watched.now(FIRST.replace("/src", "/other"))
    assert watched.policy.allowed_roots == [Path("/src")]
    assert watched.told[0][0] == "policy_refused"


async def test_a_file_that_is_gone_or_only_touched_changes_nothing(watched: Watched) -> None:
    await watched.now(FIRST + "# a comment\n")
    assert watched.told == []
    watched.path.unlink()
    await watched.watch.look()
    assert watched.policy.default_agent == "shell"
    assert [kind for kind, _ in watched.told] == ["policy_refused"]


def test_a_session_that_was_begun_before_may_go_on_only_with_what_is_allowed_now(watched: Watched) -> None:
    watched.policy.require_session("shell", Path("/src/wt"))
    for agent, folder, rule in (("claude", "/src", r"\[agents\.claude\]"), ("shell", "/srcs", "allowed_roots")):
        with pytest.raises(PolicyForbids, match=rule):
            watched.policy.require_session(agent, Path(folder))
