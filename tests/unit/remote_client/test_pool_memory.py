"""Whether there is memory for another session: what agents are expected to take, and what must stay free."""

import pytest

from remote_client.policy import Policy, parse_policy
from remote_client.pool_memory import Memory, available_mb


def policy(limits: str = "", rule: str = "") -> Policy:
    return parse_policy(
        f'allowed_roots = ["/tmp"]\n[limits]\n{limits}\n[agents.shell]\n{rule}\n[agents.own]\nadapter = "shell"\n'
        "[agents.other]\n[agents.gone]\nenabled = false",
        "test",
    )


def memory(free_mb: int, limits: str = "min_free_memory_mb = 512", rule: str = "") -> Memory:
    return Memory(policy(limits, rule), lambda: free_mb)


@pytest.mark.parametrize(("agent", "expected_mb"), [("shell", 5), ("own", 5), ("other", 250)])
def test_another_session_is_begun_only_if_enough_stays_free(agent: str, expected_mb: int) -> None:
    assert memory(512 + expected_mb).shortage(agent, []) is None
    shortage = memory(512 + expected_mb - 1).shortage(agent, [])
    assert shortage is not None
    assert (shortage.agent, shortage.needed_mb) == (agent, 512 + expected_mb)
    words = f"{shortage.free_mb} MB of memory are free; another session of {agent} needs {512 + expected_mb} MB"
    assert str(shortage) == words


def test_the_policy_may_know_better_what_a_session_takes() -> None:
    assert memory(611, rule="memory_mb = 100").shortage("shell", []) is not None
    assert memory(612, rule="memory_mb = 100").shortage("shell", []) is None


def test_sessions_that_are_just_beginning_have_not_taken_their_memory_yet() -> None:
    assert memory(512 + 3 * 5).shortage("shell", ["shell", "own"]) is None
    assert memory(512 + 3 * 5 - 1).shortage("shell", ["shell", "own"]) is not None


def test_without_a_limit_nobody_asks_how_much_there_is() -> None:
    def asked() -> int:
        raise AssertionError

    assert Memory(policy("min_free_memory_mb = 0"), asked).shortage("other", []) is None


def test_the_office_is_told_which_agents_find_none() -> None:
    assert memory(1000).holding_back([]) is None
    assert memory(600).holding_back([]) == {
        "reason": "low_memory",
        "free_mb": 600,
        "agents": {"other": {"needed_mb": 762}},
    }
    held_back = memory(500).holding_back([])
    assert held_back is not None
    assert set(held_back["agents"]) == {"shell", "own", "other"}, "those that may run at all"


def test_512_mb_stay_free_unless_told_otherwise() -> None:
    assert memory(516, limits="").shortage("shell", []) is not None
    assert memory(517, limits="").shortage("shell", []) is None


def test_this_machine_has_some_memory() -> None:
    assert 16 < available_mb() < 2**26
