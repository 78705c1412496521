"""What the tests of one worker share, wherever they stand: one PostgreSQL, on which each has databases of its own."""

from collections.abc import Generator
from typing import Any

import pytest
import structlog
from hypothesis import settings

from shared.starting import loading
from tests.support.embedded import embedded_postgres
from tests.support.sharing import FilesThatShare

__all__ = ["embedded_postgres"]

settings.register_profile(
    "without a clock", settings.default, deadline=None
)  # how long an example takes depends on what else runs
settings.load_profile("without a clock")

# With each variable of each frame and in colours, an error that is logged takes half a second.
structlog.configure(processors=[
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
])  # fmt: skip


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Each worker collects all tests, with all that they import."""
    with loading():
        return (yield)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FilesThatShare | None:
    return FilesThatShare(config, log) if config.getoption("dist") == "loadfile" else None
