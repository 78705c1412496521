"""Which search for anchors the monitor uses: the fast one where its extra is installed."""

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Protocol

from remote_client.monitor.anchors import AnchorSearch, Spot
from remote_client.monitor.patterns import Pattern

IS_FAST = find_spec("hyperscan") is not None


class Search(Protocol):
    """Fed with one piece after the other."""

    def spots(self, data: bytes) -> list[Spot]:
        """Where in `data` to look, in order; 0 also for what began before it. Seldom any."""
        ...


MakeSearch = Callable[[Sequence[Pattern]], Search]


def best_search(patterns: Sequence[Pattern]) -> Search:
    if not IS_FAST:
        return AnchorSearch(patterns)
    from remote_client.monitor.fast_anchors import FastAnchorSearch

    return FastAnchorSearch(patterns)
