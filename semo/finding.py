"""One thing that `semo doctor` looked at."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """`missing` keeps the office, or this machine in it, from working; `note` is worth knowing."""

    subject: str
    state: Literal["ok", "note", "missing"]
    detail: str
    mend: str = ""
