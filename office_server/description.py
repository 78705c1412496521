"""The description of the API (OpenAPI): made when somebody first asks for it, and kept."""

import asyncio
from typing import Any

import orjson
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.requests import Request
from starlette.responses import Response

from office_server import problems
from office_server.routes import plans

ADDRESS = "/api/openapi.json"


class Description:
    """Of all routes that the application has by then."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._text: bytes | None = None
        self._making = asyncio.Lock()

    def document(self) -> dict[str, Any]:
        """Takes half a second the first time."""
        app = self._app
        if not app.openapi_schema:
            schema = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            schema["components"]["schemas"]["Problem"] = problems.Problem.model_json_schema()
            schema["components"]["schemas"]["PlanBody"] = plans.PlanBody.model_json_schema()
            app.openapi_schema = schema
        return app.openapi_schema

    async def answer(self, _request: Request) -> Response:
        """Made in a thread: whoever asks may be anybody, and holds nobody else up."""
        async with self._making:
            if self._text is None:
                self._text = await asyncio.to_thread(lambda: orjson.dumps(self.document()))
        return Response(self._text, media_type="application/json")
