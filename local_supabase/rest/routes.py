"""The HTTP side of `/rest/v1`: from a request to its answer, or to the error that PostgREST would give."""

import json

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from local_supabase.rest import requests
from local_supabase.rest.catalog import Function
from local_supabase.rest.errors import RestError, unknown_table
from local_supabase.rest.executor import Answer, Context, Executor
from local_supabase.rest.preferences import Preferences, parse_preferences
from local_supabase.rest.query import parse_query
from local_supabase.rest.statements import Statement, call, window_of
from local_supabase.tokens import Caller, TokenError, TokenExpired, TokenVerifier

_SECRET_HEADERS = {"authorization", "apikey", "cookie"}
_METHODS = ["GET", "HEAD", "POST", "PATCH", "DELETE", "PUT"]


class RestRoutes:
    """`/{table}` and `/rpc/{function}`, for whoever the bearer token names."""

    def __init__(self, executor: Executor, verifier: TokenVerifier) -> None:
        self._executor = executor
        self._verifier = verifier
        self.routes = [
            Route("/rpc/{function}", self._guarded_call, methods=["GET", "HEAD", "POST"]),
            Route("/{table}", self._guarded_table, methods=_METHODS),
        ]

    async def _guarded_call(self, request: Request) -> Response:
        try:
            return await self._call(request)
        except RestError as error:
            return _failure(error)

    async def _guarded_table(self, request: Request) -> Response:
        try:
            return await self._table(request)
        except RestError as error:
            return _failure(error)

    async def _table(self, request: Request) -> Response:
        caller = self._caller(request)
        reading = request.method in ("GET", "HEAD")
        preferences = parse_preferences(request.headers, reading=reading)
        table = request.path_params["table"]
        body = b"" if reading else await _json_body(request)
        query = parse_query(request.query_params.multi_items())
        await self._know_table(preferences.schema, table)
        catalog = self._executor.catalog(preferences.schema)
        context = Context(caller, request.method, request.url.path, preferences.schema, reading, _headers_json(request))
        match request.method:
            case "GET" | "HEAD":
                statement = requests.read(catalog, table, query, preferences)
                answer = await self._run(context, statement, preferences)
                return _rows_read(request, preferences, answer, window_of(query, preferences)[0])
            case "POST":
                statement = requests.insert(catalog, table, body, query, preferences)
            case "PATCH":
                statement = requests.update(catalog, table, body, query, preferences)
            case "DELETE":
                statement = requests.delete(catalog, table, query, preferences)
            case method:
                raise RestError(405, "PGRST117", f"Unsupported HTTP method: {method}")
        answer = await self._run(context, statement, preferences)
        return _rows_written(request.method, table, preferences, answer)

    async def _call(self, request: Request) -> Response:
        caller = self._caller(request)
        reading = request.method != "POST"
        preferences = parse_preferences(request.headers, reading=reading)
        parameters = request.query_params.multi_items()
        if reading:
            given, parameters = requests.split_arguments(parameters)
            body, names = None, frozenset(given)
        else:
            given, body = None, await _json_body(request)
            names = requests.argument_names(body)
        query = parse_query(parameters)
        function = await self._function(preferences.schema, request.path_params["function"], names)
        text = body.decode() if body is not None else None
        statement = call(preferences.schema, function, given, text, names, query, preferences)
        context = Context(caller, request.method, request.url.path, preferences.schema, reading, _headers_json(request))
        answer = await self._run(context, statement, preferences)
        if function.returns_void:
            return Response(status_code=204)
        if function.returns_set:
            return _rows_read(request, preferences, answer, window_of(query, preferences)[0])
        return _answer(request, preferences, answer.body, 200, {})

    def _caller(self, request: Request) -> Caller:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            token = request.headers.get("apikey", "")
        try:
            return self._verifier.verify(token.strip())
        except TokenExpired as error:
            raise RestError(401, "PGRST303", "JWT expired") from error
        except TokenError as error:
            raise RestError(401, "PGRST301", str(error)) from error

    async def _run(self, context: Context, statement: Statement, preferences: Preferences) -> Answer:
        check = requests.check_for(preferences, writes=not context.read_only)
        answer = await self._executor.run(context, statement, check)
        requests.verify(preferences, answer)
        return answer

    async def _know_table(self, schema: str, table: str) -> None:
        """A table that was made a moment ago is known before the database's word of it arrives."""
        if table in self._executor.catalog(schema).tables:
            return
        await self._executor.refresh()
        if table not in self._executor.catalog(schema).tables:
            raise unknown_table(schema, table)

    async def _function(self, schema: str, name: str, given: frozenset[str]) -> Function:
        try:
            return requests.find_function(self._executor.catalog(schema), schema, name, given)
        except RestError:
            await self._executor.refresh()
            return requests.find_function(self._executor.catalog(schema), schema, name, given)


def _headers_json(request: Request) -> str:
    """As SQL sees them in `request.headers`; without keys and tokens, which a log of the database might show."""
    return json.dumps({name: value for name, value in request.headers.items() if name not in _SECRET_HEADERS})


async def _json_body(request: Request) -> bytes:
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip()
    body = await request.body()
    if body and kind not in (
        "application/json",
        "application/vnd.pgrst.object+json",
        "application/vnd.pgrst.array+json",
    ):
        raise RestError(415, "PGRST107", f"Content-Type not acceptable: {kind}")
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise RestError(400, "PGRST102", "Empty or invalid json") from error
    return body


def _rows_read(request: Request, preferences: Preferences, answer: Answer, offset: int) -> Response:
    total = answer.total
    if total is not None and offset > total:
        raise RestError(
            416, "PGRST103", "Requested range not satisfiable",
            details=f"An offset of {offset} was requested, but there are only {total} rows.",
        )  # fmt: skip
    shown = f"{offset}-{offset + answer.rows - 1}" if answer.rows else "*"
    headers = {"Content-Range": f"{shown}/{'*' if total is None else total}"}
    status = 206 if total is not None and answer.rows < total else 200
    return _answer(request, preferences, answer.body, status, headers)


def _rows_written(method: str, table: str, preferences: Preferences, answer: Answer) -> Response:
    shown = f"0-{answer.rows - 1}" if method == "PATCH" and answer.rows else "*"
    headers = {"Content-Range": f"{shown}/{answer.rows if preferences.count else '*'}"}
    if preferences.returning == "representation":
        status = 201 if method == "POST" else 200
        return Response(answer.body, status, headers | {"Content-Type": preferences.content_type})
    if preferences.returning == "headers-only" and method == "POST" and (where := requests.location(table, answer)):
        headers["Location"] = where
    return Response(status_code=201 if method == "POST" else 204, headers=headers)


def _answer(request: Request, preferences: Preferences, body: bytes, status: int, headers: dict[str, str]) -> Response:
    headers = headers | {"Content-Type": preferences.content_type}
    return Response(b"" if request.method == "HEAD" else body, status, headers)


def _failure(error: RestError) -> Response:
    headers = {"Content-Type": "application/json; charset=utf-8", "Proxy-Status": f"PostgREST; error={error.code}"}
    if error.status == 401:
        headers["WWW-Authenticate"] = (
            f'Bearer error="invalid_token", error_description="{error.message}"'
            if error.code[:6] == "PGRST3"
            else "Bearer"
        )
    return Response(error.body(), error.status, headers)
