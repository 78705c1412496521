"""Whatever is sent to any address, the server answers as its description says, and never breaks."""

import asyncio
import importlib
import json
import threading
from typing import Any, cast
from uuid import uuid4

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from office_server.app import create_app
from office_server.description import Description
from tests.integration.office_server.conftest import Project, TokenMaker, running_server
from tests.integration.office_server.machine import Machine

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.timeout(300)
async def test_no_request_breaks_the_server_or_is_answered_otherwise_than_described(
    project: Project, office_id: str, new_token: TokenMaker, machine: Machine
):
    answered = await send_everywhere(project, office_id, await new_token(), machine, examples_each=2)
    assert answered == described(project)


async def test_whoever_asks_for_the_description_holds_nobody_up(project: Project, monkeypatch: pytest.MonkeyPatch):
    document = Description.document
    being_made, others_answered = threading.Event(), threading.Event()

    def slow(self: Description) -> dict[str, Any]:
        being_made.set()
        assert others_answered.wait(30)
        return document(self)

    monkeypatch.setattr(Description, "document", slow)
    async with running_server(project.settings()) as url, httpx.AsyncClient(base_url=url, timeout=40) as anyone:
        asked = asyncio.create_task(anyone.get("/api/openapi.json"))
        assert await asyncio.to_thread(being_made.wait, 30)
        (await anyone.get("/healthz")).raise_for_status()
        others_answered.set()
        assert (await asked).json() == json.loads(json.dumps(create_app(project.settings()).openapi()))
        assert (await anyone.get("/api/openapi.json")).json() == (await asked).json()


@pytest.mark.proof
@pytest.mark.timeout(600)
async def test_no_request_of_very_many_breaks_the_server(
    project: Project, office_id: str, new_token: TokenMaker, machine: Machine
):
    answered = await send_everywhere(project, office_id, await new_token(), machine, examples_each=20)
    assert answered == described(project)


def described(project: Project) -> set[str]:
    paths: dict[str, dict[str, Any]] = create_app(project.settings()).openapi()["paths"]
    return {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}


async def send_everywhere(project: Project, office: str, token: str, machine: Machine, examples_each: int) -> set[str]:
    """The addresses that answered, each as its description says."""
    chosen = project.settings(enroll_per_minute=10_000)
    known = {"office_id": office, "session_id": await machine.open_session()}
    async with running_server(chosen) as url:
        document = create_app(chosen).openapi()
        return await asyncio.to_thread(send_to_every_address, document, url, token, known, examples_each)


def send_to_every_address(
    document: dict[str, Any], url: str, token: str, known: dict[str, str], examples_each: int
) -> set[str]:
    schemathesis, checks = _schemathesis()
    answered: set[str] = set()
    schema = schemathesis.openapi.from_dict(without_great_lengths(document))
    # The characters that UTF-8 has, not found out by trying all of Unicode, which takes ten seconds.
    schema.config.generation.codec = None
    for found in schema.get_all_operations():
        operation = found.ok()

        @given(case=operation.as_strategy())
        @settings(
            max_examples=examples_each,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
        )
        def send(case: Any) -> None:
            for name in case.path_parameters:
                case.path_parameters[name] = known.get(name, case.path_parameters[name])
            if case.operation.label == "DELETE /api/offices/{office_id}/sessions/{session_id}":
                case.path_parameters["session_id"] = str(uuid4())
            if case.operation.method != "get" or case.operation.path.endswith("/events"):
                case.query = {**(case.query or {}), "wait": 0}
            answer = case.call(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=40)
            case.validate_response(answer, checks=checks)
            answered.add(case.operation.label)

        send()
    return answered


def without_great_lengths(described: Any) -> Any:
    """The same without the upper limits of texts that have a pattern, too, where no example comes near them.

    Pattern and length are made one regular expression, which takes seconds to compile where the length is great.
    """
    if isinstance(described, list):
        return [without_great_lengths(one) for one in cast("list[Any]", described)]
    if not isinstance(described, dict):
        return described
    parts = cast("dict[str, Any]", described)
    great = "pattern" in parts and isinstance(parts.get("maxLength"), int) and parts["maxLength"] > 10_000
    return {name: without_great_lengths(one) for name, one in parts.items() if not (great and name == "maxLength")}


def _schemathesis() -> tuple[Any, list[Any]]:
    """The library and the checks: imported where it is needed, for whoever only collects tests would wait for it.

    Its types are not known far enough for a strict check.
    """
    general: Any = importlib.import_module("schemathesis.checks")
    openapi: Any = importlib.import_module("schemathesis.specs.openapi.checks")
    return importlib.import_module("schemathesis"), [
        general.not_a_server_error,
        openapi.status_code_conformance,
        openapi.content_type_conformance,
        openapi.response_schema_conformance,
    ]
