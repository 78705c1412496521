"""One office with its pages, whose machine has Claude Code too, and one browser, for all of these tests.

What is done is done on one kind of screen in `make test`, another one for each test, and on every kind in `make proof`.
"""

import json
from collections.abc import AsyncIterator
from zlib import crc32

import pytest
import pytest_asyncio
from playwright.async_api import Browser, StorageState

from semo.folder import DataFolder
from tests.support.browser import SCREENS, Screen, Tab, chromium
from tests.support.claude_cli import VARIABLES, ClaudeHome, claude_if_there
from tests.support.git import new_repository
from tests.support.merging import PUSHED_AND_MERGED, with_origin
from tests.support.messages_api import MessagesApi
from tests.support.running_office import RunningOffice


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "screen" not in metafunc.fixturenames:
        return
    usual = crc32(metafunc.function.__name__.encode()) % len(SCREENS)
    goes_through_them = metafunc.definition.get_closest_marker("once") is not None
    metafunc.parametrize(
        "screen",
        [
            pytest.param(screen, id=str(screen), marks=() if number == usual else pytest.mark.proof)
            for number, screen in enumerate(SCREENS)
            if number == usual or not goes_through_them
        ],
    )


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def messages() -> AsyncIterator[MessagesApi]:
    async with MessagesApi.serving() as api:
        yield api


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def office(tmp_path_factory: pytest.TempPathFactory, messages: MessagesApi) -> AsyncIterator[RunningOffice]:
    place = tmp_path_factory.mktemp("pages")
    repository = new_repository(place / "repository")
    with_origin(repository)
    home = ClaudeHome.make(place / "home", messages.url, [repository])
    folder = DataFolder(place / "data")
    folder.prepare()
    policy = f'allowed_roots = ["{place}"]\ndefault_agent = "shell"\n[[repositories]]\npath = "{repository}"\n'
    policy += f'{PUSHED_AND_MERGED}[approvals]\ntools = ["Bash"]\n[agents.shell]\n'
    if program := claude_if_there():
        policy += f'[agents.claude]\ncommand = ["{program}"]\nenvironment = {json.dumps(VARIABLES)}\n'
    folder.policy.write_text(policy)
    environment = home.environment | {"SEMO_CLIENT_FORECAST_SECONDS": "1"}
    running = await RunningOffice.open(folder.path, "--repo", str(repository), dashboard=True, env=environment)
    yield running
    await running.close()


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as running:
        yield running


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def signed_in(browser: Browser, office: RunningOffice) -> StorageState:
    tab = await Tab.open(browser, office)
    await tab.sign_in()
    state = await tab.page.context.storage_state()
    await tab.page.context.close()
    return state


@pytest_asyncio.fixture(loop_scope="session")
async def tab(browser: Browser, office: RunningOffice, screen: Screen, signed_in: StorageState) -> AsyncIterator[Tab]:
    """Signed in, and nothing in the browser's console when the test is over."""
    tab = await Tab.open(browser, office, screen=screen, state=signed_in)
    await tab.go("attention")
    yield tab
    await tab.page.context.close()
    assert tab.complaints == []
