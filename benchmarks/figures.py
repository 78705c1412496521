"""One measured figure: percentiles of a set of samples, and what they are compared with."""

import statistics
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Figure:
    """Samples in milliseconds under a name; `facts` says how they were made."""

    name: str
    samples_ms: list[float]
    facts: dict[str, Any] = field(default_factory=dict[str, Any])

    def percentile(self, percent: int) -> float:
        return statistics.quantiles(self.samples_ms, n=100, method="inclusive")[percent - 1]

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "p50": round(self.percentile(50), 2),
            "p95": round(self.percentile(95), 2),
            "p99": round(self.percentile(99), 2),
            "n": len(self.samples_ms),
            **self.facts,
        }
