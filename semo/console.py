"""How the command speaks to people: one line for each thing, a sign in front, and never a secret."""

import json
from typing import Any

from rich.console import Console

from semo.problems import SemoError

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def good(text: str) -> None:
    out.print("✔ ", style="green", end="")
    out.print(text, markup=False)


def step(text: str) -> None:
    out.print(f"  {text}", style="dim", markup=False)


def bad(problem: SemoError) -> None:
    """Says what happened, what was kept and what to do, on stderr."""
    err.print("✘ ", style="red", end="")
    err.print(problem.what, markup=False)
    for more in (problem.kept, problem.do):
        if more:
            err.print(f"  {more}", style="dim", markup=False)


def machine(value: Any) -> None:
    """One line of JSON on stdout, for scripts."""
    print(json.dumps(value, separators=(",", ":"), default=str), flush=True)  # noqa: T201 - this is the output
