"""No secret leaves the place that it has: all of them are looked for wherever anybody who looks at an office can see.

Logs at the level debug, journals, recordings, answers and errors, command lines and environments of every process. The
service key and the JWT secret are in the environment of the office server, which its own user alone can read, and in
no other.
"""

import asyncio
import base64
import json
import re
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import psycopg
import pytest

from local_supabase.keys import load
from tests.support.processes import command_lines, descendants_of, environment_of
from tests.support.running_office import RunningOffice, semo

pytestmark = pytest.mark.asyncio(loop_scope="session")
DONE = "echo '[SEMO:DONE]'"
JWT = re.compile(rb"eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}")
KEPT_IN = ("api-token.json", "status.json", "keys.json", "credentials.json", "sign-in.key")
"""Files whose purpose it is to hold secrets, private to their user."""


def forms(secret: str) -> list[bytes]:
    """The secret as it is, and as it would hide in a header of basic authentication or a dump of bytes."""
    plain = secret.encode()
    return [plain, base64.b64encode(plain).rstrip(b"=")[:-2], plain.hex().encode()]


def files_below(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            if path.is_file() and not path.is_symlink() and path.name not in KEPT_IN:
                yield str(path), path.read_bytes()


def environments(pids: set[int]) -> dict[str, bytes]:
    """What processes show of themselves to whoever is the same user."""
    found: dict[str, bytes] = {}
    for one in pids:
        with suppress(FileNotFoundError, ProcessLookupError):
            found[f"environment of {one}"] = environment_of(one).encode()
    return found


@asynccontextmanager
async def talkative_server(office: RunningOffice, log: Path) -> AsyncGenerator[str]:
    """A second server of the office that logs at the level debug; yields its URL."""
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "office_server", "--ready-line", stdout=asyncio.subprocess.PIPE, stderr=file,
            env={
                "SUPABASE_URL": office.status["supabase_url"], "SEMO_OFFICE_PORT": "0",
                "SUPABASE_SERVICE_ROLE_KEY": office.status["service_role_key"],
                "SUPABASE_PUBLISHABLE_KEY": office.status["publishable_key"],
                "SUPABASE_JWT_SECRET": office.status["jwt_secret"], "SEMO_OFFICE_LOG_LEVEL": "debug",
                "SEMO_OFFICE_DASHBOARD": "false",
            },
        )  # fmt: skip
    try:
        assert process.stdout is not None
        yield json.loads(await process.stdout.readline())["office_url"]
    finally:
        process.terminate()
        await process.wait()


class Caller:
    """Asks a server for everything, rightly and wrongly; keeps what it was answered and the secrets that it got."""

    def __init__(self, office: RunningOffice, url: str) -> None:
        self._office = office
        self._url = url
        self.answers: dict[str, bytes] = {}
        self.secrets: dict[str, str] = {}

    async def ask(self) -> None:
        base = f"{self._url}/api/offices/{self._office.status['office_id']}/"
        headers = {"Authorization": f"Bearer {self._office.status['api_token']}"}
        async with httpx.AsyncClient(base_url=base, headers=headers, timeout=60) as api:
            for path in ("", "clients", "pool", "sessions", "commands", "personas", "tokens", "audit", "spec-prompts"):
                self._keep(await api.get(path))
            token = (await api.post("tokens", json={"name": "ci", "role": "viewer"})).raise_for_status().json()
            self.secrets["a token"] = token["secret"]
            self.secrets["a code"] = (await api.post("enrollments", json={})).raise_for_status().json()["code"]
            await self._go_wrong(api)
            joined = await api.post(f"{self._url}/api/enroll", json={"code": self.secrets["a code"], "name": "curious"})
            machine = joined.raise_for_status().json()
            self.secrets["the password of a machine"] = machine["password"]
            await self._sign_in(api, machine)
            self._keep(await api.post(f"{self._url}/api/enroll", json={"code": self.secrets["a code"], "name": "late"}))
            await api.delete(f"clients/{machine['client_id']}")
            await api.delete(f"tokens/{token['id']}")
            self._keep(await api.get("sessions", headers={"Authorization": f"Bearer {token['secret']}"}))
        async with httpx.AsyncClient(base_url=self._url, timeout=60) as anyone:
            for path in ("/api/openapi.json", "/healthz", "/readyz", "/metrics", "/join", "/nothing"):
                self._keep(await anyone.get(path))

    async def _go_wrong(self, api: httpx.AsyncClient) -> None:
        """Secrets in places where they are not expected must not come back, nor go into a log."""
        code, token = self.secrets["a code"], self.secrets["a token"]
        enroll = f"{self._url}/api/enroll"
        for body in ({"code": code}, {"code": {"is": code}, "name": "x"}, {"code": "x", "name": "x", "secret": token}):
            self._keep(await api.post(enroll, json=body))
        self._keep(await api.post(enroll, content=f'{{"code": "{code}"'))
        self._keep(await api.post("prompts", json={"role": "BE", "text": "x", "key": token}))
        for wrong in (token + "x", f"x{token}", self._office.status["jwt_secret"]):
            self._keep(await api.get("sessions", headers={"Authorization": f"Bearer {wrong}"}))
        self._keep(await api.get("sessions", headers={"Authorization": f"Basic {token}"}))

    async def _sign_in(self, api: httpx.AsyncClient, machine: dict[str, str]) -> None:
        """As the machine does; its tokens are secrets, and what is wrong with them is no reason to show them."""
        auth, key = f"{machine['supabase_url']}/auth/v1/token", {"apikey": machine["publishable_key"]}
        who = {"email": machine["email"], "password": machine["password"]}
        signed_in = (await api.post(auth, params={"grant_type": "password"}, json=who, headers=key)).json()
        self.secrets["an access token"] = signed_in["access_token"]
        self.secrets["a refresh token"] = signed_in["refresh_token"]
        bad = {"refresh_token": signed_in["refresh_token"] + "x"}
        self._keep(await api.post(auth, params={"grant_type": "refresh_token"}, json=bad, headers=key))
        wrong = who | {"password": machine["password"] + "x"}
        self._keep(await api.post(auth, params={"grant_type": "password"}, json=wrong, headers=key))
        self._keep(await api.get("sessions", headers={"Authorization": f"Bearer {signed_in['access_token']}"}))

    def _keep(self, answer: httpx.Response) -> None:
        self.answers[f"answer {len(self.answers)} of {answer.request.url}"] = answer.content


async def secrets_of(office: RunningOffice) -> dict[str, str]:
    keys = load(office.data / "supabase")
    machine = json.loads((office.data / "client" / "credentials.json").read_text())
    async with await psycopg.AsyncConnection.connect(office.status["db_url"], autocommit=True) as database:
        rows = await (await database.execute("select token from auth.refresh_tokens")).fetchall()
    return {
        "service_role_key": office.status["service_role_key"],
        "jwt_secret": office.status["jwt_secret"],
        "api_token": office.status["api_token"],
        "the password of this machine": machine["password"],
        **{f"the database's password of {role}": password for role, password in keys.database_passwords.items()},
        **{f"refresh token {number}": str(token) for number, (token,) in enumerate(rows)},
    }


async def test_no_secret_is_where_it_does_not_belong(office: RunningOffice, tmp_path: Path) -> None:
    ran = await semo("run", f"env; {DONE}", "--role", "BE", "--data", str(office.data), "--json")
    assert ran.exit_code == 0, ran.err
    log = tmp_path / "debug.log"
    async with talkative_server(office, log) as url:
        callers = [Caller(office, office.status["office_url"]), Caller(office, url)]
        for one in callers:
            await one.ask()
        server, machine = office.pid_of("office_server"), office.pid_of("remote_client")
        processes = descendants_of(office.process.pid) | {office.process.pid}
        of_server = {server, *descendants_of(server)}
        seen_by_all = environments(processes - of_server)
        in_server = environments({server})
        lines = {f"command line of {pid}": line.encode() for pid, line in command_lines()}
        ours = {f"command line of {pid}" for pid in processes}
    looked_at = dict(files_below(office.data / "client"))
    looked_at |= {str(path): path.read_bytes() for path in (*office.data.rglob("*.log"), log)}
    looked_at |= {"semo run": ran.out.encode(), "its errors": ran.err.encode()}
    looked_at |= seen_by_all | lines
    answers = {f"{place} ({n})": said for n, one in enumerate(callers) for place, said in one.answers.items()}

    secrets = await secrets_of(office)
    for number, one in enumerate(callers):
        secrets |= {f"{name} ({number})": secret for name, secret in one.secrets.items()}
    assert len(looked_at) > 40
    assert b"request" in looked_at[str(log)], "the server logged what it was asked"
    assert f"environment of {machine}" in seen_by_all
    assert len(secrets) >= 5 + len(load(office.data / "supabase").database_passwords) + 10
    for name, secret in secrets.items():
        places = looked_at | answers
        assert [place for place, said in places.items() if any(form in said for form in forms(secret))] == [], name
    tokens = {
        place: found
        for place, said in (looked_at | answers).items()
        if (place not in lines or place in ours)  # other people's programs run here, too
        and (found := set(JWT.findall(said)) - {office.status["publishable_key"].encode()})
    }
    assert tokens == {}, "whoever has one is let in"

    [shown] = in_server.values()
    allowed = {"service_role_key", "jwt_secret"}
    there = {name for name, secret in secrets.items() if secret.encode() in shown}
    assert there == allowed, "as ARCHITECTURE.md says"
