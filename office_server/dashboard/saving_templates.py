"""A prompt kept under a name, with parameters where it says {{name}}: asked for in a dialog."""

from nicegui import ui
from pydantic import TypeAdapter, ValidationError

from office_server.dashboard.bits import attributed, button, element, text
from office_server.dashboard.visit import Visit
from office_server.dashboard.wrong import wrong
from office_server.plan_document import Place
from office_server.prompt_templates import parameters_in
from office_server.routes import templates
from office_server.spec_rows import PromptTemplate

_NAME: TypeAdapter[str] = TypeAdapter(templates.NewTemplateName)


async def offer_save(visit: Visit, written: str, known: PromptTemplate | None, place: Place) -> str | None:
    """Saves it as the next version of the name that the person gives; that name, or None when they left it.

    Args:
        known: the template that it was, whose name and parameters are offered again.
        place: who works on it, unless whoever uses it says otherwise.
    """
    words = visit.words
    with attributed(ui.dialog(), aria_label=words("execute.save")) as dialog, element("div", "sheet panel broad"):
        text("h2", words("execute.save"))
        text("p", words("execute.save_hint"), "quiet")
        name = ui.input(words("execute.template_name"), value=known.name if known else "").props("outlined dense")
        attributed(name, aria_label=words("execute.template_name"))
        prompt = ui.textarea(words("execute.prompt"), value=written).props("outlined autogrow")
        attributed(prompt, aria_label=words("execute.prompt"))
        box = element("div", "fields")
        given: dict[str, ui.input] = {}

        def offer() -> None:
            found = parameters_in(str(prompt.value or ""))
            if found == list(given):
                return
            kept = {parameter: field.value for parameter, field in given.items()}
            before = {**(known.parameters if known else {}), **kept}
            box.clear()
            given.clear()
            with box:
                for parameter in found:
                    label = words("execute.otherwise", name=parameter)
                    value = before.get(parameter)
                    field = ui.input(label, value="" if value is None else str(value)).props("outlined dense")
                    given[parameter] = attributed(field, aria_label=label)

        async def save() -> None:
            parameters = {parameter: str(field.value or "") or None for parameter, field in given.items()}
            try:
                said = _NAME.validate_python(str(name.value or "").strip())
                body = templates.NewTemplate.model_validate(
                    {"text": prompt.value, "parameters": parameters, "defaults": place}
                )
            except ValidationError as error:
                visit.complain(wrong(error))
                return
            saved: PromptTemplate | None = await visit.attempt(templates.save_template, name=said, body=body)
            if saved is not None:
                visit.say(words("execute.saved", name=saved.name, version=saved.version))
                dialog.submit(saved.name)

        prompt.on_value_change(offer)
        offer()
        with element("div", "does"):
            button(words("frame.cancel"), lambda: dialog.submit(None))
            button(words("do.save"), save, "button first")
    answer = await dialog
    dialog.delete()
    return str(answer) if answer is not None else None
