"""Prompt templates: saved under a name, a new version with each change, used as `template: name` or `name@version`."""

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from office_server.access import Operator, Viewer
from office_server.asking import check_storable
from office_server.plan_document import Place, Text
from office_server.prompt_templates import Value, check_template
from office_server.services import ServicesDep
from office_server.spec_rows import PromptTemplate

router = APIRouter(prefix="/api/offices/{office_id}/templates", tags=["plans"])
TemplateName = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}(@[1-9][0-9]{0,8})?$")]
NewTemplateName = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
ParameterName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")]


class NewTemplate(BaseModel):
    """`{{name}}` in the text stands for a parameter."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"text": "review {{file}}, {{style}}", "parameters": {"file": None, "style": "briefly"},
                 "defaults": {"role": "QA"}}
            ]
        },
    )  # fmt: skip

    text: Text
    parameters: dict[ParameterName, Value | None] = Field(
        default_factory=dict[str, Value | None], max_length=100, description="null: a job must say it"
    )
    defaults: Place = Field(default_factory=Place, description="of the jobs made from it")


class TemplateList(BaseModel):
    templates: list[PromptTemplate]


@router.get("")
async def list_templates(access: Viewer, services: ServicesDep) -> TemplateList:
    """All versions, the newest of each name first."""
    return TemplateList(templates=await services.backend.plans.templates(access.office.id))


@router.get("/{name}")
async def get_template(access: Viewer, services: ServicesDep, name: TemplateName) -> PromptTemplate:
    """Its newest version, or that of `name@version`."""
    return await services.planner.template(access.office.id, name)


@router.put("/{name}")
async def save_template(
    access: Operator, services: ServicesDep, name: NewTemplateName, body: NewTemplate
) -> PromptTemplate:
    """Saves it as the next version; the same again is the version that there is. A version never changes."""
    check_template(body.text, body.parameters)
    check_storable(body.model_dump(), "template")
    defaults = body.defaults.model_dump(mode="json", exclude_none=True)
    version = await services.backend.plans.save_template(
        access.office.id, name, body.text, dict(body.parameters), defaults, access.author
    )
    return await services.planner.template(access.office.id, f"{name}@{version}")
