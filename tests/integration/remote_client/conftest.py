"""Remote clients before a real gateway, a real PostgreSQL, real git and real terminals.

All tests share one project, on one event loop; each has an office, a machine and a repository of its own.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from pytest_asyncio import is_async_test

from remote_client import pool_keeper, pool_opening
from tests.integration.remote_client.office import Machine, Office
from tests.integration.remote_client.shells import Shell, working_shell
from tests.support.embedded import EmbeddedPostgres
from tests.support.gateway import Project, running_project
from tests.support.git import new_repository


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One event loop for the project and all that use it."""
    for item in items:
        if item.path.parent == Path(__file__).parent and is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def project(embedded_postgres: EmbeddedPostgres) -> AsyncIterator[Project]:
    async with running_project(embedded_postgres) as project:
        yield project


@pytest_asyncio.fixture(loop_scope="session")
async def office(project: Project) -> AsyncIterator[Office]:
    """An office with rendered personas and no warm roles."""
    async with Office.founded(project) as office:
        yield office


@pytest_asyncio.fixture(loop_scope="session")
async def shell(tmp_path: Path) -> AsyncIterator[Shell]:
    async with working_shell(tmp_path) as shell:
        yield shell


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return new_repository(tmp_path / "repo")


@pytest_asyncio.fixture(loop_scope="session")
async def machine(office: Office, repository: Path, tmp_path: Path) -> AsyncIterator[Callable[..., Awaitable[Machine]]]:
    """Makes machines that have joined the office; every client still running is stopped in the end."""
    made: list[Machine] = []

    async def make(name: str = "laptop", **wishes: object) -> Machine:
        one = await office.enrol(name, tmp_path / name, repository, **wishes)
        made.append(one)
        return one

    try:
        yield make
    finally:
        for one in made:
            await one.stop()


@pytest.fixture
def quick_pools(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses that a test can wait for."""
    monkeypatch.setattr(pool_opening, "PAUSES_SECONDS", (0.05, 0.1))
    monkeypatch.setattr(pool_keeper, "LOOK_SECONDS", 0.1)
