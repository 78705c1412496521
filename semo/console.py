"""How the command speaks to people: one line for each thing, a sign in front, and never a secret."""

import json
import shutil
from typing import Any

from rich.console import Console
from rich.table import Table

from semo.problems import SemoError

_NARROWEST = 80  # what our tables need: a narrower terminal wraps them, and nothing that matters is cut
_WIDTH_OF_A_LOG = 120

_width = max(_NARROWEST, shutil.get_terminal_size((_WIDTH_OF_A_LOG, 0)).columns)
out = Console(highlight=False, soft_wrap=True, width=_width)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def good(text: str) -> None:
    out.print("✔ ", style="green", end="")
    out.print(text, markup=False)


def step(text: str) -> None:
    out.print(f"  {text}", style="dim", markup=False)


def quote(who: str, line: str) -> None:
    """A line that somebody else wrote."""
    out.print(f"  {who} │ ", style="cyan", end="")
    out.print(line, markup=False)


def table(rows: Table) -> None:
    out.print()
    out.print(rows)


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
