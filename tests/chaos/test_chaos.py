"""Everything breaks at random while commands are asked for; an independent observer says what became of them.

Short in every run, whole with `-m proof`. The seed is printed; SEMO_CHAOS_SEED repeats it.
"""

import asyncio
import json
import os
import random
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.breakable import FAULTS, Breakable
from tests.chaos.evidence import left_behind
from tests.chaos.observer import Observer
from tests.integration.remote_client.conftest import repository

__all__ = ["repository"]

SHORT_FAULTS = 4
COSTLY = ("client killed", "PostgreSQL killed", "gateway killed", "client asleep")
"""Two of these are in every short run."""


@pytest.mark.parametrize(
    ("commands", "faults"),
    [
        pytest.param(40, SHORT_FAULTS, id="short", marks=pytest.mark.timeout(300)),
        pytest.param(500, 0, id="whole", marks=[pytest.mark.proof, pytest.mark.timeout(0)]),
    ],
)
async def test_whatever_breaks_nothing_is_lost_and_nothing_is_done_twice(
    commands: int, faults: int, repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = int(os.environ.get("SEMO_CHAOS_SEED", random.SystemRandom().randrange(10**6)))
    print(f"SEMO_CHAOS_SEED={seed}")  # noqa: T201  it repeats the run
    chance = random.Random(seed)  # noqa: S311
    ledger = tmp_path / "ledger"
    ledger.touch()
    began = time.monotonic()
    async with Breakable.opened(tmp_path, repository) as office:
        observer = Observer(office, chance, ledger)
        try:
            over = asyncio.Event()
            async with asyncio.TaskGroup() as group:
                forging = group.create_task(observer.keep_forging(over))
                asking = group.create_task(observer.keep_asking(commands, over))
                for fault in chosen(chance, faults) if faults else many(observer, commands):
                    await observer.break_it(fault)
                    await asyncio.sleep(chance.uniform(0, 1))
                over.set()
                await asyncio.wait({asking, forging})
            ends = await observer.judge()
        except BaseException:
            print((office.laptop.folder / "client.log").read_text()[-8000:])  # noqa: T201  what a person needs
            raise
    times = [seconds for _, seconds in observer.recoveries]
    told = {
        "seed": seed, "commands": len(observer.asked), "ends": ends, "faults": len(times),
        "forged": sum(observer.forged.values()), "seconds": round(time.monotonic() - began, 1),
        "recovered_s": [f"{fault} {seconds:.2f}" for fault, seconds in observer.recoveries[:12]],
        "recovered_p95_s": round(statistics.quantiles(times, n=20, method="inclusive")[-1], 2),
    }  # fmt: skip
    with capsys.disabled():
        print(f"\n{json.dumps(told)}")  # noqa: T201  the result of a long proof
    assert len(observer.asked) >= commands
    assert ends["completed"] > len(observer.asked) / 2, "most of it is simply done"
    assert observer.forged, "none was tried"
    assert left_behind(tmp_path) == []


def chosen(chance: random.Random, count: int) -> list[str]:
    """So many different faults, two costly ones among them, in any order."""
    cheap = [fault for fault in FAULTS if fault not in COSTLY]
    return chance.sample([*chance.sample(COSTLY, 2), *chance.sample(cheap, count - 2)], count)


def many(observer: Observer, commands: int) -> Iterator[str]:
    """All of them, again and again in another order, until so many commands were asked for."""
    while True:
        for fault in observer.chance.sample(list(FAULTS), len(FAULTS)):
            if len(observer.asked) >= commands:
                return
            yield fault
