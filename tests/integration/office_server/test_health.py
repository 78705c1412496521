"""What the server tells those who watch over it, and its description of itself."""

import re

import httpx
import pytest
from pydantic import ValidationError

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


async def test_pages_of_other_origins_may_use_the_api_only_where_that_was_said(project: Project, admin: Api):
    asking = {"Origin": "https://board.example", "Access-Control-Request-Method": "POST",
              "Access-Control-Request-Headers": "authorization,idempotency-key"}  # fmt: skip
    token = {"Authorization": admin.http.headers["Authorization"]}
    closed = await admin.http.options(f"{admin.base}/sessions", headers=asking)
    read = await admin.get("/sessions")
    assert [name for name in (*closed.headers, *read.headers) if name.startswith("access-control-")] == []

    settings = project.settings(cors_origins="https://board.example, http://localhost:5173")
    async with running_server(settings) as url, httpx.AsyncClient(base_url=url) as http:
        told = await http.options(f"{admin.base}/sessions", headers=asking)
        assert (told.status_code, told.headers["access-control-allow-origin"]) == (200, "https://board.example")
        read = await http.get(f"{admin.base}/sessions", headers={**token, "Origin": "https://board.example"})
        assert (read.status_code, read.headers["access-control-allow-origin"]) == (200, "https://board.example")
        assert "access-control-allow-credentials" not in read.headers, "no cookies"
        refused = await http.get(f"{admin.base}/sessions", headers={"Origin": "https://board.example"})
        assert refused.headers["access-control-allow-origin"] == "https://board.example", "errors can be read, too"
        other = await http.options(f"{admin.base}/sessions", headers={**asking, "Origin": "https://evil.example"})
        assert (other.status_code, "access-control-allow-origin" in other.headers) == (400, False)


@pytest.mark.parametrize("origins", ["*", "board.example", "https://board.example/", "https://a.example;b.example/x"])
async def test_what_is_no_origin_opens_nothing(project: Project, origins: str):
    with pytest.raises(ValidationError, match="is no origin"):
        project.settings(cors_origins=origins)
