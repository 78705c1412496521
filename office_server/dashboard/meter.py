"""How far something is, as a bar and in words: what is done, what failed, what runs."""

from nicegui import ui

from office_server.dashboard.bits import attributed, element, text
from office_server.dashboard.words import Words
from office_server.routes.plan_answers import Progress


class Meter:
    def __init__(self, words: Words, name: str) -> None:
        self._words = words
        self._shown: Progress | None = None
        with element("div", "progress"):
            self._bar = element(
                "div", "meter", role="progressbar", aria_label=name, aria_valuemin=0, aria_valuemax=100,
                aria_valuenow=0,
            )  # fmt: skip
            self._said = text("span", "", "quiet")

    def show(self, progress: Progress) -> None:
        if progress == self._shown:
            return
        self._shown = progress
        self._said.show(in_words(progress, self._words))
        all_ = max(progress.total, 1)
        done = 100 * progress.done / all_
        gone = done + 100 * (progress.over - progress.done) / all_
        runs = gone + 100 * (progress.running + progress.checking) / all_
        _share(self._bar, done=done, gone=gone, runs=runs)
        attributed(self._bar, aria_valuenow=round(progress.percent)).update()


def in_words(progress: Progress, words: Words) -> str:
    said = [words("plans.progress", over=progress.over, total=progress.total)]
    for status in ("running", "checking", "blocked", "failed"):
        count = getattr(progress, status)
        if count:
            said.append(f"{count} {words.of('job_status', status).lower()}")
    return " · ".join(said)


def _share(bar: ui.element, **shares: float) -> None:
    style = "; ".join(f"--{name}: {share:.2f}%" for name, share in shares.items())
    bar.style(replace=style)
