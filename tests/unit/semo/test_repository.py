"""The policy that `semo up` writes lends one repository; another one is never claimed to be worked in."""

from pathlib import Path

import pytest

from semo.problems import SemoError
from semo.repository import ensure_repository, require_lent, write_policy


async def test_the_repository_of_the_first_start_is_lent_and_no_other(tmp_path: Path):
    lent, other = await ensure_repository(tmp_path / "lent"), await ensure_repository(tmp_path / "other")
    policy = tmp_path / "policy.toml"
    require_lent(policy, other)  # there is no policy yet
    write_policy(policy, lent, "local", "shell")
    require_lent(policy, lent)
    before = policy.read_text()
    with pytest.raises(SemoError, match="does not lend"):
        require_lent(policy, other)
    write_policy(policy, other, "local", "shell")
    assert policy.read_text() == before, "it is its owner's"
