"""Personas: the default ones, and those of an office's own that replace them."""

from typing import Any

from office_server.backend.connection import Connection
from office_server.rows import Persona, PersonaVersion
from shared.ids import OfficeId, PersonaId


class Personas:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def in_use(self, office: OfficeId) -> list[Persona]:
        """One per role: the office's own where it has one, else the default. By role."""
        query = self._connection.table("agent_personas").select(Persona.columns())
        found = await self._connection.read(query.or_(f"office_id.is.null,office_id.eq.{office}"), Persona)
        by_role = {persona.role.lower(): persona for persona in found if persona.office_id is None}
        by_role |= {persona.role.lower(): persona for persona in found if persona.office_id is not None}
        return sorted(by_role.values(), key=lambda persona: persona.role.lower())

    async def versions(self, office: OfficeId, role: str) -> list[PersonaVersion]:
        """Of the office's own persona of that role and of the default one, the newest of each first."""
        query = self._connection.table("persona_versions").select(PersonaVersion.columns()).eq("role", role)
        query = query.or_(f"office_id.is.null,office_id.eq.{office}").order("office_id").order("version", desc=True)
        return await self._connection.read(query.limit(200), PersonaVersion)

    async def all(self, page: int = 500) -> list[Persona]:
        found: list[Persona] = []
        while True:
            query = self._connection.table("agent_personas").select(Persona.columns()).order("id")
            rows = await self._connection.read(query.range(len(found), len(found) + page - 1), Persona)
            found += rows
            if len(rows) < page:
                return found

    async def lately_changed(self, limit: int = 500) -> list[Persona]:
        query = self._connection.table("agent_personas").select(Persona.columns()).order("updated_at", desc=True)
        return await self._connection.read(query.limit(limit), Persona)

    async def add(self, fields: dict[str, Any]) -> Persona:
        """Raises Conflict when the office has one of that role."""
        [persona] = await self._connection.write(self._connection.table("agent_personas").insert(fields), Persona)
        return persona

    async def change(self, persona: PersonaId, fields: dict[str, Any]) -> Persona | None:
        query = self._connection.table("agent_personas").update(fields).eq("id", str(persona))
        return next(iter(await self._connection.write(query, Persona)), None)

    async def store_rendered(self, persona: PersonaId, version: int, rendered: str) -> bool:
        """Whether it was kept; not when the persona changed in the meantime."""
        return bool(
            await self._connection.call(
                "store_rendered_persona", p_persona=str(persona), p_version=version, p_rendered=rendered
            )
        )
