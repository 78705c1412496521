"""Speaks to an office over its REST API on behalf of the command line; problems come back as errors with words."""

import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpx

from semo.folder import Status
from semo.problems import Exit, SemoError, SessionOver
from shared.tls import tls_for

_GONE = 410
_FAULTS_SHOWN = 20
_OF_THE_SERVER = ("/readyz", "/api/sign-in-codes")


@dataclass(frozen=True)
class Told:
    """One server-sent event. `place`: the id to go on from."""

    event: str
    data: Any
    place: str | None


class OfficeApi:
    """One office server and one office in it. Use as an async context manager."""

    def __init__(self, office_url: str, token: str, office_id: str) -> None:
        self.office_url = office_url.rstrip("/")
        self._office = f"/api/offices/{office_id}"
        self._http = httpx.AsyncClient(
            base_url=self.office_url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=httpx.Timeout(45, connect=5),
            verify=tls_for(self.office_url),
        )

    @classmethod
    def of(cls, status: Status) -> Self:
        """The office that runs on a data folder."""
        return cls(status.office_url, status.api_token, status.office_id)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def get(self, path: str, **params: Any) -> Any:
        return await self._call("GET", path, params=_given(params))

    async def post(self, path: str, body: dict[str, Any], key: str | None = None, **params: Any) -> Any:
        """`key`: asking again with the same one asks once."""
        headers = {"Idempotency-Key": key} if key is not None else {}
        return await self._call("POST", path, json=_given(body), params=_given(params), headers=headers)

    async def patch(self, path: str, body: dict[str, Any]) -> Any:
        return await self._call("PATCH", path, json=body)

    async def put(self, path: str, body: dict[str, Any]) -> Any:
        return await self._call("PUT", path, json=_given(body))

    async def send(self, path: str, content: bytes, media_type: str, key: str | None = None) -> Any:
        """Posts what was written elsewhere, as it is."""
        headers = {"Content-Type": media_type} | ({"Idempotency-Key": key} if key is not None else {})
        return await self._call("POST", path, content=content, headers=headers)

    async def delete(self, path: str, **params: Any) -> Any:
        return await self._call("DELETE", path, params=_given(params))

    async def stream(self, path: str, **params: Any) -> AsyncGenerator[Told]:
        """What an address tells as server-sent events, until it ends. Breaking off raises SemoError, too."""
        try:
            async with self._http.stream("GET", self._office + path, params=_given(params), timeout=None) as response:
                if response.is_error:
                    await response.aread()
                    raise _refusal(response)
                said: dict[str, str] = {}
                async for line in response.aiter_lines():
                    name, _, value = line.partition(": ")
                    if line:
                        said[name] = value
                        continue
                    if "data" in said:
                        yield Told(said.get("event", "message"), json.loads(said["data"]), said.get("id"))
                    said = {}
        except httpx.TransportError as error:
            raise self._silent(error) from error

    async def _call(self, method: str, path: str, **request: Any) -> Any:
        """`path` is below the office, but for a few that are the server's.

        Raises:
            SemoError: nobody answers, or the office refused; its own words and advice are passed on.
        """
        url = path if path in _OF_THE_SERVER else self._office + path
        try:
            response = await self._http.request(method, url, **request)
        except httpx.TransportError as error:
            raise self._silent(error) from error
        if response.is_error:
            raise _refusal(response)
        return response.json() if response.content else None

    def _silent(self, error: httpx.TransportError) -> SemoError:
        return SemoError(
            f"the office at {self.office_url} does not answer ({type(error).__name__})",
            do="check that it runs: semo status",
            exit_code=Exit.UNREACHABLE,
        )


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _refusal(response: httpx.Response) -> SemoError:
    try:
        problem: dict[str, Any] = response.json()
    except ValueError:
        problem = {}
    detail = _in_lines(problem) or str(problem.get("title") or f"the office answered {response.status_code}")
    exit_code = Exit.UNREACHABLE if response.status_code in (502, 503) else Exit.REFUSED
    kind = SessionOver if response.status_code == _GONE else SemoError
    return kind(detail, do=str(problem.get("advice") or ""), exit_code=exit_code)


def _in_lines(problem: dict[str, Any]) -> str:
    """What is wrong in words; with a plan that has several faults, a line for each."""
    faults: list[dict[str, Any]] = problem.get("problems") or []
    if len(faults) < 2:
        return str(problem.get("detail") or "")
    told = [
        f"  {'line ' + str(fault['line']) + ', ' if 'line' in fault else ''}{fault['path']}: {fault['message']}"
        for fault in faults[:_FAULTS_SHOWN]
    ]
    more = [f"  and {len(faults) - _FAULTS_SHOWN} more"] if len(faults) > _FAULTS_SHOWN else []
    return "\n".join([f"{len(faults)} things in it are wrong; nothing was made", *told, *more])
