"""Personas: what an office tells the agents of each role about themselves."""

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from office_server import personas, unknown
from office_server.access import Admin, Viewer
from office_server.asking import check_storable
from office_server.routes.answers import Label
from office_server.rows import Office, Persona, PersonaVersion
from office_server.services import Services, ServicesDep
from shared.errors import Conflict

router = APIRouter(prefix="/api/offices/{office_id}/personas", tags=["personas"])
RoleInPath = Annotated[str, Path(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,31}$", examples=["BE"])]
Item = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class PersonaDraft(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "name": "Backend Engineer",
                    "persona_prompt": "You are the Backend Engineer. You build services that stay correct.",
                    "scope_patterns": ["src/**"],
                    "core_skills": ["SQL"],
                }
            ]
        },
    )

    name: Label
    persona_prompt: Annotated[str, StringConstraints(min_length=1, max_length=65536)]
    scope_patterns: list[Item] = Field(default_factory=list[str], max_length=200)
    core_skills: list[Item] = Field(default_factory=list[str], max_length=200)


class PersonaList(BaseModel):
    personas: list[Persona]


class PersonaVersions(BaseModel):
    versions: list[PersonaVersion]


class Preview(BaseModel):
    text: str = Field(description="what clients put before the agent")


@router.get("")
async def list_personas(access: Viewer, services: ServicesDep) -> PersonaList:
    """One per role: the office's own, or the default of every office."""
    return PersonaList(personas=await services.backend.personas.in_use(access.office.id))


@router.get("/{role}")
async def get_persona(access: Viewer, services: ServicesDep, role: RoleInPath) -> Persona:
    found = await _find(services, access.office, role)
    if found is None:
        raise unknown.persona(access.office.id, role)
    return found


@router.get("/{role}/versions")
async def list_persona_versions(access: Viewer, services: ServicesDep, role: RoleInPath) -> PersonaVersions:
    """What it was: the office's own versions, the newest first, then those of the default."""
    found = await get_persona(access, services, role)
    return PersonaVersions(versions=await services.backend.personas.versions(access.office.id, found.role))


@router.put("/{role}")
async def put_persona(access: Admin, services: ServicesDep, role: RoleInPath, body: PersonaDraft) -> Persona:
    """Gives the office a persona of its own for that role. Sessions that are made from now on wear it."""
    fields = body.model_dump()
    check_storable(fields, "persona")
    found = await _find(services, access.office, role)
    if found is None or found.office_id is None:
        kept = found.role if found else role
        stored = await services.backend.personas.add(fields | {"office_id": str(access.office.id), "role": kept})
    else:
        changed = await services.backend.personas.change(found.id, fields)
        if changed is None:
            raise Conflict("The persona was removed at the same moment.", advice="try again")
        stored = changed
    await services.personas.render_one(stored)
    return await get_persona(access, services, role)


@router.post("/{role}/preview")
async def preview_persona(_: Viewer, role: RoleInPath, body: PersonaDraft) -> Preview:
    """What would be rendered; stores nothing."""
    check_storable(body.model_dump(), "persona")
    return Preview(text=personas.render(role, body.name, body.persona_prompt, body.scope_patterns, body.core_skills))


async def _find(services: Services, office: Office, role: str) -> Persona | None:
    in_use = await services.backend.personas.in_use(office.id)
    return next((persona for persona in in_use if persona.role.lower() == role.lower()), None)
