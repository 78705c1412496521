"""A plan pasted as YAML or JSON: applied, or what is wrong with it shown beside it, line by line."""

from typing import Any, cast

from fastapi import Request
from nicegui import ui

from office_server.dashboard.bits import attributed, button, element, lead_to, text
from office_server.dashboard.visit import Visit
from office_server.plan_text import BadPlan
from office_server.routes import plans
from office_server.routes.plan_answers import PlanSeen
from shared.errors import OfficeError

_EXAMPLE = """name: checkout
defaults: {role: BE, timeout_s: 900}
waves:
  - - {name: schema, prompt: "Add the tables of the checkout"}
    - {name: fixtures, prompt: "Write rows to try it with"}
  - - {name: api, prompt: "Serve it"}
"""


def body_of(content: str, media_type: str) -> Request:
    """A request with this body, for a route that reads its own."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": content.encode(), "more_body": False}

    headers = [(b"content-type", media_type.encode())]
    return Request({"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": headers}, receive)


def offer_apply(visit: Visit) -> None:
    """Opens the dialog; a plan that is made leads to its page."""
    words = visit.words
    with attributed(ui.dialog(), aria_label=words("plans.apply")) as dialog, element("div", "sheet panel broad"):
        text("h2", words("plans.apply"))
        text("p", words("plans.apply_hint"), "quiet")
        field = (
            ui.textarea(placeholder=_EXAMPLE).props("outlined input-style='min-height: 300px'").classes("mono-field")
        )
        attributed(field, aria_label=words("plans.text"))
        wrong = element("ul", "wrong", role="alert")

        async def apply() -> None:
            wrong.clear()
            written = str(field.value or "")
            media_type = "application/json" if written.lstrip().startswith("{") else "application/yaml"
            try:
                made: PlanSeen = await visit.do(plans.create_plan, request=body_of(written, media_type))
            except OfficeError as error:
                with wrong:
                    _tell(visit, error)
                return
            lead_to(visit.address("plans", plan=made.id))  # before the dialog is gone, in whose place this runs
            dialog.close()

        with element("div", "does"):
            button(words("frame.cancel"), dialog.close)
            button(words("plans.apply"), apply, "button first")
    dialog.on_value_change(lambda event: None if event.value else dialog.delete())
    dialog.open()


def _tell(visit: Visit, error: OfficeError) -> None:
    problems = cast("list[dict[str, Any]]", error.context.get("problems", [])) if isinstance(error, BadPlan) else []
    for problem in problems:
        with element("li"):
            where = visit.words("plans.line", line=problem["line"]) if "line" in problem else ""
            text("span", where, "mono")
            text("span", str(problem["path"]), "mono")
            text("span", str(problem["message"]))
    if not problems:
        text("li", " ".join(part for part in (error.detail, error.advice) if part))
