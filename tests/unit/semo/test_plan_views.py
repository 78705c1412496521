"""How plans are drawn for people."""

from rich.console import Console

from semo import plan_graph
from semo.plan import Row, picture

COUNTS = dict.fromkeys(
    ("waiting", "ready", "running", "checking", "blocked", "done", "failed", "skipped", "cancelled"), 0
)


def job(name: str, seq: int, **more: object) -> Row:
    plain: Row = {"name": name, "seq": seq, "role": "BE", "status": "waiting", "lane": None, "depends_on": [],
                  "stage": 0, "priority": 0, "waiting_reason": None, "error": None}  # fmt: skip
    return plain | more


def plan(kind: str, **more: object) -> Row:
    progress = COUNTS | {"total": 4, "over": 1, "percent": 25.0, "done": 1, "running": 3}
    plain: Row = {"name": "p", "kind": kind, "status": "running", "progress": progress, "stages": [], "lanes": []}
    return plain | more


def test_a_graph_as_text_says_what_waits_for_what() -> None:
    jobs = [job("a", 1, status="done"), job("b", 2, depends_on=["a"]), job("c", 3, lane="l")]
    assert plan_graph.as_text(plan("graph"), jobs).splitlines() == [
        "a (BE, done)", "b (BE, waiting) ← a", "c (BE, waiting)  [l]",
    ]  # fmt: skip


def test_a_flow_chart_draws_dependencies_lanes_in_their_order_and_waves() -> None:
    drawn = plan_graph.as_mermaid(plan("epics"), [job("a", 1, lane="l"), job("b", 2, lane="l", priority=5)])
    assert "  j1 --> j0" in drawn.splitlines()
    drawn = plan_graph.as_mermaid(plan("waves"), [job("a", 1), job("b", 2, stage=1), job('q"', 3, stage=1)])
    assert '  subgraph b1["wave 2"]' in drawn.splitlines()
    assert "  b0 --> b1" in drawn.splitlines()
    assert 'j2["q#quot;"]' in drawn
    drawn = plan_graph.as_mermaid(plan("graph"), [job("a", 1), job("b", 2, depends_on=["a"])])
    assert "  j0 --> j1" in drawn.splitlines()


def test_the_picture_has_a_bar_for_the_plan_and_a_reason_for_each_wait() -> None:
    console = Console(width=120, record=True, file=None)
    with console.capture() as shown:
        console.print(picture(plan("waves", stages=[COUNTS | {"stage": 0, "total": 1, "over": 1, "percent": 100.0}]),
                              [job("b", 2, waiting_reason="waits for a")]))  # fmt: skip
    text = shown.get()
    assert "25 % of 4 · 3 running, 1 done" in text
    assert "wave 1" in text
    assert "b (BE) · waits for a" in text
