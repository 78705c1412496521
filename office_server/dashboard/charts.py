"""What was spent, drawn: bars by day against the office's cap, and bars by role, agent and plan. No I/O.

Colours are those of the style sheet, by name, so that a chart follows the theme by itself; for that it is drawn as SVG.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Literal, cast

from nicegui import ui

from office_server.dashboard.bits import attributed, element, text

Measure = Literal["cost_usd", "tokens"]
_BAR_PIXELS = 34


@dataclass(frozen=True)
class Bar:
    """`cap`: what it may come to, where something says so."""

    label: str
    value: float
    cap: float | None = None


def every_day(spent: dict[date, float], first: date, last: date) -> list[Bar]:
    """The days from first to last, those on which nothing was spent among them."""
    days = (first + timedelta(days=number) for number in range((last - first).days + 1))
    return [Bar(day.isoformat(), spent.get(day, 0.0)) for day in days]


def amount(value: float, measure: Measure) -> str:
    if measure == "tokens":
        return f"{value:,.0f}"
    return f"${value:,.2f}" if value >= 0.01 or value == 0 else f"${value:.4f}"


def by_day(bars: Sequence[Bar], cap: float | None, cap_name: str) -> dict[str, Any]:
    """`cap`: a line above which no further turn begins."""
    line: dict[str, Any] = {
        "silent": True, "symbol": "none", "lineStyle": {"color": "var(--bad)", "type": "dashed", "width": 1.5},
        "label": {"formatter": cap_name, "color": "var(--bad)", "position": "insideEndTop"},
        "data": [{"yAxis": cap}] if cap is not None else [],
    }  # fmt: skip
    most = max([bar.value for bar in bars], default=0.0)
    return {
        **_COMMON,
        "grid": {"left": 12, "right": 16, "top": 26, "bottom": 8, "containLabel": True},
        "xAxis": {"type": "category", "data": [bar.label[5:] for bar in bars], **_AXIS},
        "yAxis": {"type": "value", **_AXIS, **(_with_room_for(cap) if cap is not None and cap > most else {})},
        "series": [{**_SERIES, "data": [bar.value for bar in bars], "markLine": line, "barMaxWidth": 42}],
    }


def _with_room_for(cap: float) -> dict[str, Any]:
    return {"max": cap * 1.1, "axisLabel": _AXIS["axisLabel"] | {"showMaxLabel": False}}


def side_by_side(bars: Sequence[Bar]) -> dict[str, Any]:
    """The first on top; a mark where a cap is."""
    turned = list(reversed(bars))
    marks = [
        {"value": [bar.cap, bar.label], "itemStyle": {"color": "var(--bad)"}} for bar in turned if bar.cap is not None
    ]
    return {
        **_COMMON,
        "grid": {"left": 8, "right": 26, "top": 8, "bottom": 8, "containLabel": True},
        "yAxis": {"type": "category", "data": [bar.label for bar in turned], **_AXIS, "axisTick": {"show": False}},
        "xAxis": {"type": "value", **_AXIS},
        "series": [
            {**_SERIES, "data": [bar.value for bar in turned], "barMaxWidth": 20},
            {"type": "scatter", "symbol": "rect", "symbolSize": [3, 24], "data": marks, "emphasis": {"disabled": True},
             "silent": True},
        ],
    }  # fmt: skip


class Chart:
    """A chart with its name, and the same numbers as a table for whoever cannot see it."""

    def __init__(self, name: str, as_table: str, columns: tuple[str, str, str], nothing: str) -> None:
        self._columns = columns
        with element("section", "sheet chart", aria_label=name):
            text("h3", name)
            with element("div", "drawn", role="img", aria_label=name) as self._frame:
                self._chart = ui.echart({}, renderer="svg")
            self._nothing = text("p", nothing, "quiet")
            with element("details") as self._details:
                text("summary", as_table)
                self._table = element("div", "scroll", tabindex="0")

    @property
    def is_deleted(self) -> bool:
        return self._frame.is_deleted

    def show(self, options: dict[str, Any], bars: Sequence[Bar], measure: Measure, *, rows: int | None) -> None:
        """`rows`: how many bars lie above each other; None: they stand beside each other."""
        for part in (self._frame, self._details):
            part.set_visibility(bool(bars))
        self._nothing.set_visibility(not bars)
        shown = cast("dict[str, Any]", self._chart.options)  # pyright: ignore[reportUnknownMemberType]
        shown.clear()
        shown.update(options)
        self._frame.style(f"height: {230 if rows is None else max(rows, 1) * _BAR_PIXELS + 44}px")
        self._chart.update()
        self._table.clear()
        capped = any(bar.cap is not None for bar in bars)
        with self._table, element("table", "table"):
            with element("thead"), element("tr"):
                for column in self._columns[: 3 if capped else 2]:
                    text("th", column, scope="col")
            with element("tbody"):
                for bar in bars:
                    with element("tr"):
                        text("td", bar.label)
                        text("td", amount(bar.value, measure))
                        if capped:
                            text("td", amount(bar.cap, measure) if bar.cap is not None else "–")
        attributed(self._frame, data_bars=str(len(bars))).update()


_FONT = "system-ui, Inter, 'Noto Sans KR', sans-serif"
_AXIS: dict[str, Any] = {
    "axisLabel": {"color": "var(--quiet)", "fontFamily": _FONT},
    "axisLine": {"lineStyle": {"color": "var(--line-strong)"}},
    "splitLine": {"lineStyle": {"color": "var(--line)"}},
}
_SERIES: dict[str, Any] = {
    "type": "bar", "itemStyle": {"color": "var(--accent)", "borderRadius": 3}, "emphasis": {"disabled": True},
    "animation": False,
}  # fmt: skip
_COMMON: dict[str, Any] = {
    "animation": False,
    "textStyle": {"fontFamily": _FONT},
    "tooltip": {
        "trigger": "axis", "axisPointer": {"type": "none"}, "backgroundColor": "var(--paper)",
        "borderColor": "var(--line-strong)", "textStyle": {"color": "var(--ink)"},
    },
}  # fmt: skip
