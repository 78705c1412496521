"""Renders personas into the text that clients put before their agents, and keeps it next to each persona."""

from pathlib import Path

import structlog
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from office_server.backend import Backend
from office_server.rows import Persona
from shared.channels import DONE_MARKER

_log = structlog.get_logger(__name__)
# It renders markdown: escaping as for HTML would spoil it.
_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
    autoescape=False,  # noqa: S701
)


def render(role: str, name: str, prompt: str, scope_patterns: list[str], core_skills: list[str]) -> str:
    """A persona as markdown."""
    return _templates.get_template("persona.md.j2").render(
        role=role,
        name=name,
        prompt=prompt.strip(),
        scope_patterns=scope_patterns,
        core_skills=core_skills,
        done_marker=DONE_MARKER,
    )


def rendered(persona: Persona) -> str:
    return render(persona.role, persona.name, persona.persona_prompt, persona.scope_patterns, persona.core_skills)


class PersonaKeeper:
    """Several servers may do this at once: the database keeps only the text of the version that is there."""

    def __init__(self, backend: Backend) -> None:
        self._personas = backend.personas

    async def render_all(self) -> int:
        """Renders every persona whose text is not what this server would write, as after an upgrade."""
        return await self._store([p for p in await self._personas.all() if p.rendered != rendered(p)])

    async def render_changed(self) -> int:
        """Renders those that changed since they were rendered."""
        lately = await self._personas.lately_changed()
        return await self._store([persona for persona in lately if persona.rendered_version != persona.version])

    async def render_one(self, persona: Persona) -> None:
        await self._store([persona])

    async def _store(self, personas: list[Persona]) -> int:
        for persona in personas:
            await self._personas.store_rendered(persona.id, persona.version, rendered(persona))
            _log.info("persona_rendered", role=persona.role, version=persona.version)
        return len(personas)
