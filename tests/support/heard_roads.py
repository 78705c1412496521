"""Connections of a client's calls that respx can hear: the client's own go past it."""

from collections.abc import Mapping

import httpx


class HeardRoads(httpx.AsyncHTTPTransport):
    """As `remote_client.roads.Roads`, over the transport that respx replaces."""

    async def post(self, url: str, body: bytes, headers: Mapping[str, str], seconds: float) -> tuple[int, bytes]:
        async with httpx.AsyncClient(transport=self, timeout=seconds) as http:
            answer = await http.post(url, content=body, headers=dict(headers))
        return answer.status_code, answer.content
