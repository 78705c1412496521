"""What the one pass over a terminal's output sees: a title, a bell, a notice, or a hit of a pattern, and where."""

from typing import Literal, NamedTuple

from remote_client.monitor.patterns import Hit
from shared.ids import ByteOffset

SightingKind = Literal["title", "bell", "notice", "hit"]


class Sighting(NamedTuple):
    """`end` is the offset right after its last byte."""

    kind: SightingKind
    end: ByteOffset
    text: str
    hit: Hit | None = None
