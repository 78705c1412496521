"""What small parts of pages show."""

import pytest

from office_server.dashboard.bits import visible


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("make test\r", "make test"),
        ("\r", "⏎"),
        ("\x03", "^C"),
        ("\x1b", "^["),
        (" ", "␣"),
        ("\x7f ", "^?␣"),
    ],
)
def test_keys_that_leave_no_mark_are_seen(typed: str, shown: str) -> None:
    assert visible(typed) == shown
