"""What the server tells those who watch over it, and its description of itself."""

import re

import httpx
import pytest

from office_server.app import create_app
from tests.integration.office_server.conftest import Api, Project, running_server

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_numbers_have_labels_that_do_not_grow(admin: Api):
    await admin.post("/prompts", {"text": "x", "role": "BE"})
    await admin.get(f"/nothing/{admin.office}")
    await admin.http.request("BREW", "/coffee")
    text = (await admin.http.get("/metrics")).text
    assert 'semo_office_requests_total{method="POST",route="/api/offices/{office_id}/prompts",status="202"}' in text
    assert 'semo_office_commands_asked_total{command_type="send_prompt"}' in text
    assert re.search(r'semo_office_commands_open\{status="pending"\} [1-9]', text)
    assert admin.office not in text
    assert "BREW" not in text


async def test_readiness_names_what_the_migrations_did_not_make(project: Project):
    await project.sql("alter function store_rendered_persona rename to gone")
    await project.sql("notify pgrst, 'reload schema'")
    try:
        async with running_server(project.settings()) as url, httpx.AsyncClient(base_url=url) as http:
            answer = await http.get("/readyz")
            assert answer.status_code == 503
            assert answer.json()["missing"] == ["function store_rendered_persona"]
            assert (await http.get("/healthz")).status_code == 200
    finally:
        await project.sql("alter function gone rename to store_rendered_persona")
        await project.sql("notify pgrst, 'reload schema'")


async def test_every_address_is_described(project: Project):
    document = create_app(project.settings()).openapi()
    operations = [
        (path, method, operation) for path, item in document["paths"].items() for method, operation in item.items()
    ]
    names = [operation["operationId"] for _, _, operation in operations]
    assert len(names) == len(set(names))
    offices = "/api/offices/{office_id}"
    for path, method in [
        (f"{offices}/sessions", "post"),
        (f"{offices}/sessions", "get"),
        (f"{offices}/sessions/{{session_id}}", "get"),
        (f"{offices}/sessions/{{session_id}}", "delete"),
        (f"{offices}/sessions/{{session_id}}/prompt", "post"),
        (f"{offices}/sessions/{{session_id}}/cancel", "post"),
        (f"{offices}/sessions/{{session_id}}/output", "get"),
    ]:
        assert method in document["paths"][path]
    for path, method, operation in operations:
        assert "application/problem+json" in operation["responses"]["404"]["content"], (path, method)
        if body := operation.get("requestBody"):
            name = body["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[-1]
            schema = document["components"]["schemas"][name]
            assert "examples" in schema or "examples" in str(schema["properties"]), f"{name} shows no example"
