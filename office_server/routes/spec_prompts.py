"""What an office tells the agents of its spec tasks: shown, changed version by version, tried out. Starts nothing."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from office_server import unknown
from office_server.access import Access, Admin, Viewer
from office_server.asking import check_storable
from office_server.services import Services, ServicesDep
from office_server.spec_rows import SpecPrompt
from office_server.spec_tasks import prompts
from shared.states import SpecPromptKind

router = APIRouter(prefix="/api/offices/{office_id}/spec-prompts", tags=["spec tasks"])

Kind = SpecPromptKind


class NewSpecPrompt(BaseModel):
    """`{{name}}` stands for what the office server knows; `names` of each prompt says what there is."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"text": "Do {{label}} {{title}}: {{body}}\nSay {{done}} when it is committed."}]
        },
    )

    text: Annotated[str, StringConstraints(min_length=1, max_length=65_536, pattern=r"\S")]


class SpecPromptSeen(SpecPrompt):
    """What agents are told. `text` is never null here: without words of the office, it is ours."""

    is_default: bool = Field(description="these are the words that come with the office server")
    names: list[str] = Field(description="what may stand in {{ }}")
    needed: list[str] = Field(description="what must")


class SpecPromptList(BaseModel):
    prompts: list[SpecPromptSeen]


class SpecPromptVersions(BaseModel):
    versions: list[SpecPrompt]


class SpecPromptPreview(BaseModel):
    text: str = Field(description="what an agent would be told, of a task that is made up")


@router.get("")
async def list_spec_prompts(access: Viewer, services: ServicesDep) -> SpecPromptList:
    """All three, as they are used now. A task that brings words of its own uses those."""
    found = {one.kind: one for one in await services.backend.specs.prompts(access.office.id)}
    return SpecPromptList(prompts=[_seen(kind, found.get(kind)) for kind in Kind])


@router.get("/{kind}")
async def get_spec_prompt(
    access: Viewer,
    services: ServicesDep,
    kind: Kind,
    version: Annotated[int | None, Query(ge=1, le=2**31 - 1, description="default: the newest")] = None,
) -> SpecPromptSeen:
    versions = await services.backend.specs.prompt_versions(access.office.id, kind)
    if version is None:
        return _seen(kind, versions[0] if versions else None)
    found = next((one for one in versions if one.version == version), None)
    if found is None:
        raise unknown.spec_prompt(access.office.id, kind, version)
    return _seen(kind, found)


@router.get("/{kind}/versions")
async def list_spec_prompt_versions(access: Viewer, services: ServicesDep, kind: Kind) -> SpecPromptVersions:
    """Newest first; a text of null went back to the words that come with the office server."""
    return SpecPromptVersions(versions=await services.backend.specs.prompt_versions(access.office.id, kind))


@router.put("/{kind}")
async def put_spec_prompt(access: Admin, services: ServicesDep, kind: Kind, body: NewSpecPrompt) -> SpecPromptSeen:
    """Saves the next version; the same again is the one that there is. Sessions that begin from now on are told it."""
    check_storable(body.model_dump(), "prompt")
    prompts.check_of_office(kind, body.text)
    return await _saved(access, services, kind, body.text)


@router.delete("/{kind}")
async def reset_spec_prompt(access: Admin, services: ServicesDep, kind: Kind) -> SpecPromptSeen:
    """Back to the words that come with the office server, as a version of its own. The ones before are kept."""
    return await _saved(access, services, kind, None)


@router.post("/{kind}/preview")
async def preview_spec_prompt(_: Viewer, kind: Kind, body: NewSpecPrompt) -> SpecPromptPreview:
    """What an agent would be told; stores nothing."""
    check_storable(body.model_dump(), "prompt")
    prompts.check_of_office(kind, body.text)
    return SpecPromptPreview(text=prompts.sample(kind, body.text))


async def _saved(access: Access, services: Services, kind: Kind, text: str | None) -> SpecPromptSeen:
    await services.backend.specs.save_prompt(access.office.id, kind, text, access.author)
    return await get_spec_prompt(access, services, kind)


def _seen(kind: Kind, found: SpecPrompt | None) -> SpecPromptSeen:
    text = found.text if found is not None else None
    return SpecPromptSeen(
        kind=kind,
        version=found.version if found is not None else 0,
        text=text or prompts.DEFAULTS[kind],
        author=found.author if found is not None else None,
        created_at=found.created_at if found is not None else None,
        is_default=text is None,
        names=sorted(prompts.NAMES[kind]),
        needed=list(prompts.NEEDED[kind]),
    )
