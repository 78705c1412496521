"""The data folder is private, and says that an office runs only while one does."""

import os
from pathlib import Path

import pytest

from semo.folder import DataFolder, Status
from semo.join import join_with_code
from semo.problems import Exit, SemoError

STATUS = Status("http://s", "p", "secret-service-key", "j", "d", "http://o", "t", "office", ["client"])


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    folder = DataFolder(tmp_path / "data")
    folder.prepare()
    return folder


def test_only_its_user_can_enter_it(folder: DataFolder):
    assert folder.path.stat().st_mode & 0o777 == 0o700


def test_what_is_published_can_be_read_while_the_publisher_lives(folder: DataFolder):
    folder.publish(STATUS)
    assert folder.read_status() == STATUS


def test_no_status_means_no_office(folder: DataFolder):
    with pytest.raises(SemoError) as caught:
        folder.read_status()
    assert caught.value.exit_code is Exit.UNREACHABLE


def test_the_status_of_a_process_that_is_gone_means_no_office(folder: DataFolder):
    child = os.fork()
    if child == 0:
        folder.publish(STATUS)
        os._exit(0)
    os.waitpid(child, 0)
    with pytest.raises(SemoError, match="no office is running"):
        folder.read_status()


def test_a_status_does_not_show_its_secrets_by_accident():
    assert "secret-service-key" not in repr(STATUS)


def test_a_withdrawn_status_is_gone(folder: DataFolder):
    folder.publish(STATUS)
    folder.withdraw()
    with pytest.raises(SemoError):
        folder.read_status()


def test_it_can_be_prepared_again(folder: DataFolder):
    folder.prepare()


def test_a_folder_with_other_things_in_it_is_refused(tmp_path: Path):
    (tmp_path / "letter.txt").touch()
    with pytest.raises(SemoError, match="used for something else") as caught:
        DataFolder(tmp_path).prepare()
    assert caught.value.exit_code is Exit.USAGE


async def test_no_code_is_spent_when_the_state_folder_is_used_for_something_else(tmp_path: Path):
    (tmp_path / "letter.txt").touch()
    with pytest.raises(SemoError, match="used for something else") as caught:
        await join_with_code("http://127.0.0.1:9", "7KQ2-M9FD", None, tmp_path)
    assert caught.value.exit_code is Exit.USAGE
    assert "--state" in caught.value.do
