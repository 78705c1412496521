"""The service key never leaves the server: it is looked for wherever a client, or whoever looks at one, can see."""

import base64
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.support.processes import command_lines, descendants_of, environment_of
from tests.support.running_office import RunningOffice, semo

pytestmark = pytest.mark.asyncio(loop_scope="session")
DONE = "echo '[SEMO:DONE]'"


def forms(secret: str) -> list[bytes]:
    """The secret as it is, and as it would hide in a header of basic authentication or a dump of bytes."""
    plain = secret.encode()
    return [plain, base64.b64encode(plain).rstrip(b"=")[:-2], plain.hex().encode()]


def files_below(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            yield str(path), path.read_bytes()


def environments(pid: int) -> dict[str, bytes]:
    """What a process and its children show of themselves to whoever is the same user."""
    found: dict[str, bytes] = {}
    for one in {pid, *descendants_of(pid)}:
        with suppress(FileNotFoundError, ProcessLookupError):
            found[f"environment of {one}"] = environment_of(one).encode()
    return found


async def answers(office: RunningOffice) -> dict[str, bytes]:
    """All that the server says to an admin, and to a machine that joins."""
    found: dict[str, bytes] = {}
    async with office.api() as api:
        for path in ("", "clients", "pool", "sessions", "commands", "personas", "tokens"):
            found[path] = (await api.get(path)).content
        invited = await api.post("enrollments", json={})
        found["enrollments"] = invited.content
        joined = await api.post(
            f"{office.status['office_url']}/api/enroll", json={"code": invited.json()["code"], "name": "curious"}
        )
        assert joined.status_code == 200, joined.text
        found["enroll"] = joined.content
        await api.delete(f"clients/{joined.json()['client_id']}")
    async with httpx.AsyncClient(base_url=office.status["office_url"]) as anyone:
        for path in ("/api/openapi.json", "/healthz", "/readyz", "/metrics", "/join", "/nothing"):
            found[path] = (await anyone.get(path)).content
    return found


async def test_the_service_key_is_nowhere_that_a_client_can_see(office: RunningOffice) -> None:
    ran = await semo("run", f"env; {DONE}", "--role", "BE", "--data", str(office.data), "--json")
    assert ran.exit_code == 0, ran.err
    looked_at: dict[str, bytes] = dict(files_below(office.data / "client"))
    looked_at |= {str(log): log.read_bytes() for log in office.data.glob("*.log")}
    looked_at |= environments(office.pid_of("remote_client"))
    looked_at |= {f"command line of {pid}": line.encode() for pid, line in command_lines()}
    looked_at |= await answers(office)
    looked_at |= {"semo run": ran.out.encode(), "its errors": ran.err.encode()}

    assert len(looked_at) > 40
    assert any(b"SEMO_CLIENT_STATE_DIR" in content for content in looked_at.values()), "environments can be read here"
    for name in ("service_role_key", "jwt_secret"):
        where = [
            place for place, content in looked_at.items() if any(form in content for form in forms(office.status[name]))
        ]
        assert where == [], name
