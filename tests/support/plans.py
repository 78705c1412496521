"""Plans as a person writes them, put before an office."""

import httpx


async def applied(api: httpx.AsyncClient, text: str) -> str:
    """The id of the plan that this YAML makes."""
    answer = await api.post("plans", content=text, headers={"Content-Type": "application/yaml"})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])
