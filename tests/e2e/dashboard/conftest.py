"""One office with its pages, and one browser, for all of these tests."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.support.browser import Tab, chromium
from tests.support.running_office import RunningOffice


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def office(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningOffice]:
    running = await RunningOffice.open(tmp_path_factory.mktemp("pages") / "data", dashboard=True)
    yield running
    await running.close()


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def tab(browser: Browser, office: RunningOffice) -> AsyncIterator[Tab]:
    """Signed in, and nothing in the browser's console when the test is over."""
    tab = await Tab.open(browser, office)
    await tab.sign_in()
    yield tab
    await tab.page.context.close()
    assert tab.complaints == []
