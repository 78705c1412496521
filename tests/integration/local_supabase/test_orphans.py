"""A database that root keeps outside of its data folder is not forgotten when that folder is removed by hand."""

import json
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from local_supabase.cluster import open_cluster, read_record, remove_cluster
from local_supabase.files import private_folder
from local_supabase.orphans import Orphan, orphans
from local_supabase.postgres import PostgresServer
from tests.support.running_office import semo

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a user's database lies in the data folder")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return private_folder(tmp_path / "data")


@pytest.fixture
async def home(folder: Path) -> AsyncIterator[Path]:
    """Where root keeps the cluster of `folder`."""
    home = (await open_cluster(folder)).home
    yield home
    shutil.rmtree(home, ignore_errors=True)


def orphan_at(home: Path) -> Orphan | None:
    return next((one for one in orphans() if one.home == home), None)


async def test_a_database_is_an_orphan_once_its_data_folder_is_gone(folder: Path, home: Path) -> None:
    assert orphan_at(home) is None
    shutil.rmtree(folder)

    orphan = orphan_at(home)

    assert orphan is not None
    assert orphan.data == folder
    assert orphan.size_bytes >= len(str(folder))


async def test_a_database_of_another_data_folder_in_the_same_place_is_an_orphan(folder: Path, home: Path) -> None:
    shutil.rmtree(folder)
    other = (await open_cluster(private_folder(folder))).home
    try:
        assert orphan_at(home) is not None
        assert orphan_at(other) is None
    finally:
        remove_cluster(folder)


async def test_a_data_folder_that_was_moved_has_its_database_again_once_it_is_opened(
    folder: Path, home: Path, tmp_path: Path
) -> None:
    moved = folder.rename(tmp_path / "moved")
    assert orphan_at(home) is not None
    assert (await open_cluster(moved)).home == home
    assert orphan_at(home) is None


async def test_a_database_that_is_served_is_no_orphan_even_without_its_data_folder(folder: Path) -> None:
    server = PostgresServer(folder, durable=False)
    async with server:
        home = Path(read_record(folder)["home"])
        record = (folder / "postgres.json").read_bytes()
        (folder / "postgres.json").unlink()
        try:
            assert orphan_at(home) is None
        finally:
            (folder / "postgres.json").write_bytes(record)
    await server.remove()
    assert not home.exists()


async def test_the_doctor_names_an_orphan_and_how_to_remove_it(folder: Path, home: Path) -> None:
    shutil.rmtree(folder)
    told = await semo("doctor", "--data", str(folder.parent / "other"), "--json")
    [finding] = [one for one in json.loads(told.out) if str(home) in one["detail"]]
    assert (finding["subject"], finding["state"]) == ("database", "note")
    assert f"was of {folder}, which is gone" in finding["detail"]
    assert f"rm -r {home}" in finding["mend"]
