"""Compares recorded frames with ours: equal, but for times and for ids, which must differ always in the same way."""

import re
from datetime import datetime
from typing import Any, cast

_TIMES = {"created_at", "commit_timestamp"}


class Correspondence:
    """Remembers which id of ours stands for which recorded one."""

    def __init__(self) -> None:
        self._ours: dict[Any, Any] = {}
        self._recorded: dict[Any, Any] = {}

    def check(self, recorded: Any, ours: Any, where: str) -> None:
        """Raises AssertionError at a difference. `where` says in which part of the session."""
        assert _comparable(ours) == _comparable(recorded), where
        for one, other in zip(_ids(recorded), _ids(ours), strict=True):
            assert self._ours.setdefault(one, other) == other, where
            assert self._recorded.setdefault(other, one) == one, where


def _comparable(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _comparable(each, name) for name, each in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_comparable(each, key) for each in cast("list[Any]", value)]
    if value is not None and key in ("id", "ids"):
        return "an id"
    if isinstance(value, str) and key in _TIMES:
        datetime.fromisoformat(value)
        return re.sub(r"[0-9.]+", "0", value)
    if isinstance(value, str) and key in ("message", "reason"):
        return re.sub(r"\d+ seconds ago", "n seconds ago", value)
    return value


def _ids(value: Any, key: str = "") -> list[Any]:
    """In the order of the keys' names."""
    if isinstance(value, dict):
        pairs = cast("dict[str, Any]", value)
        return [found for name in sorted(pairs) for found in _ids(pairs[name], name)]
    if isinstance(value, list):
        return [found for each in cast("list[Any]", value) for found in _ids(each, key)]
    return [value] if value is not None and key in ("id", "ids") else []
