"""A folder becomes ours only if it is new, empty or ours already; what other people keep in theirs stays as it is."""

import os
import pwd
from pathlib import Path

import pytest

from shared.errors import ForeignFolder
from shared.folders import MARK, private_folder

AS_ROOT = os.geteuid() == 0


def mode_of(folder: Path) -> int:
    return folder.stat().st_mode & 0o7777


def refusal_of(folder: Path) -> ForeignFolder:
    """Why it is refused; nothing of it may have changed."""
    mode, held = mode_of(folder), sorted(folder.iterdir())
    with pytest.raises(ForeignFolder) as caught:
        private_folder(folder, option="--data")
    assert (mode_of(folder), sorted(folder.iterdir())) == (mode, held)
    assert caught.value.advice == "name a new or an empty folder with --data"
    return caught.value


def test_a_new_folder_is_made_private(tmp_path: Path) -> None:
    assert mode_of(private_folder(tmp_path / "deep" / "new", option="--data")) == 0o700


def test_an_empty_folder_is_taken_over_and_made_private(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    assert mode_of(private_folder(tmp_path, option="--data")) == 0o700


def test_a_folder_of_ours_is_ours_again_and_private_again(tmp_path: Path) -> None:
    ours = private_folder(tmp_path / "ours", option="--data")
    (ours / "keys.json").touch()
    ours.chmod(0o755)
    assert mode_of(private_folder(ours, option="--data")) == 0o700


def test_what_lies_in_a_folder_of_ours_is_ours(tmp_path: Path) -> None:
    inner = private_folder(tmp_path / "ours", option="--data") / "client"
    inner.mkdir()
    (inner / "policy.toml").touch()
    private_folder(inner, option="--data")


def test_a_home_is_not_made_private_and_not_marked(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o755)
    (home / "letter.txt").write_text("dear")
    assert "used for something else" in refusal_of(home).detail


def test_a_folder_that_is_open_to_everybody_is_refused_even_when_it_is_empty(tmp_path: Path) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    temporary.chmod(0o1777)
    assert "everybody" in refusal_of(temporary).detail


@pytest.mark.skipif(not AS_ROOT, reason="only root can make another user's folder")
def test_a_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    os.chown(theirs, pwd.getpwnam("nobody").pw_uid, -1)
    assert "belongs to nobody, and you are root" in refusal_of(theirs).detail


@pytest.mark.skipif(not AS_ROOT, reason="only root can make another user's file")
def test_a_mark_that_somebody_else_has_put_there_says_nothing(tmp_path: Path) -> None:
    (tmp_path / MARK).touch()
    os.chown(tmp_path / MARK, pwd.getpwnam("nobody").pw_uid, -1)
    assert "used for something else" in refusal_of(tmp_path).detail


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ForeignFolder, match="cannot be used"):
            private_folder(place, option="--data")
