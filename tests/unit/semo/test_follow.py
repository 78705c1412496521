"""What `semo run` shows of a terminal, and what its exit code says."""

import pytest

from semo.follow import exit_code_of, plain
from semo.problems import Exit


def test_escapes_and_carriage_returns_are_not_shown():
    assert plain("\x1b]133;C\x07\x1b[1;32mok\x1b[0m\r\n\x1b]0;title\x1b\\done\r\n") == "ok\ndone\n"


def test_plain_text_stays_as_it_is():
    assert plain("naïve ☃ 한국어\ttab\n") == "naïve ☃ 한국어\ttab\n"


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ({"status": "completed"}, Exit.DONE),
        ({"status": "failed", "error_code": "turn_error"}, Exit.NOT_DONE),
        ({"status": "failed", "error_code": "policy_forbids"}, Exit.REFUSED),
        ({"status": "lost"}, Exit.LOST),
        ({"status": "expired"}, Exit.NOT_TAKEN),
        ({"status": "cancelled"}, Exit.NOT_TAKEN),
    ],
    ids=lambda value: str(value) if isinstance(value, Exit) else value["status"],
)
def test_only_a_completed_command_exits_with_zero(command: dict[str, str], expected: Exit):
    assert exit_code_of(command) is expected
