"""Counts events per second over a sliding window of whole seconds. Time comes in as a parameter."""


class RateMeter:
    """Says when the mean over the window is above the limit."""

    def __init__(self, limit_per_second: int, window_seconds: int) -> None:
        self._allowed = limit_per_second * window_seconds
        self._buckets = [0] * window_seconds
        self._second = 0

    def exceeded(self, now: float, events: int = 1) -> bool:
        """Counts `events` at `now` (seconds of any clock that does not go back)."""
        second, size = int(now), len(self._buckets)
        for passed in range(self._second + 1, min(second, self._second + size) + 1):
            self._buckets[passed % size] = 0
        if second - self._second > size:
            self._buckets = [0] * size
        self._second = max(second, self._second)
        self._buckets[self._second % size] += events
        return sum(self._buckets) > self._allowed
