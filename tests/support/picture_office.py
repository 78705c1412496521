"""An office that is busy enough to be shown: plans, spec tasks, questions and sessions, done by scripts."""

import asyncio
import struct
import zlib
from typing import Any

import httpx
import psycopg

from tests.support.plans import applied
from tests.support.running_office import RunningOffice

DONE = "echo '[SEMO:DONE]'"
_WAIT_SECONDS = 120

_PLANNING = """: <<'COMMENTS'
{{comments}}
COMMENTS
mkdir -p {{folder}} && cd {{folder}}
cat > requirements.md <<'END'
# Requirements

## A customer signs in by e-mail
As a customer I want to sign in with my
e-mail address, so that I need no password.

- WHEN a customer gives an address that is
  known THE SYSTEM SHALL send a link.
- WHEN a link is older than 15 minutes
  THE SYSTEM SHALL refuse it.
END
cat > design.md <<'END'
# Design

A link is good once. What is kept of it is a
hash, in the table `%(table)s`.

## Parts
- `accounts`: addresses that were confirmed
- `links`: made, sent, spent
END
cat > tasks.md <<'END'
# Tasks

%(tasks)s
END
echo '{"name": "{{name}}"}' > spec-metadata.json
[ {{round}} = 1 ] || sed -i 's/`%(table)s`/`%(table)s` of the database of customers/' design.md
git add -A . && git commit -qm 'Plan {{round}}'
echo '{{done}}'
"""
_WORK = """{{body}}
git add -A && git commit -qm '{{label}}'
echo '{{done}}'
"""
_SIGN_IN = """- [ ] 1 The table of links (role: BE)
- [ ] 2 Send a link by e-mail (role: BE; depends on 1)
- [ ] 3 The form (role: FE; depends on 1)
- [ ] 4 Try it all (role: QA; depends on 2, 3)"""
_EXPORT = """- [ ] 1 Read the orders of a year (role: BE)
  semo-agent report_progress '{"text": "the query stands, the index is being tried", "percent": 40}'
  semo-agent spawn_session '{"title": "Orders that were split", "prompt": "echo split > split.txt", "role": "QA"}'
  semo-agent ask_person '{"text": "Shall links to deleted customers be kept?", "options": ["keep", "leave out"]}'
- [ ] 2 Write them as CSV (role: BE; depends on 1)
- [ ] 3 The button (role: FE; depends on 2)"""

_CHECKOUT = f"""name: checkout
defaults: {{role: BE}}
waves:
  - - {{name: tables, prompt: "echo created; {DONE}"}}
    - {{name: fixtures, prompt: "echo 12 orders; {DONE}"}}
    - {{name: sketches, role: FE, prompt: "echo 3 sketches; {DONE}"}}
  - - {{name: api, prompt: "echo 'serving /orders'; sleep 900"}}
    - {{name: payment, prompt: "echo paid; {DONE}"}}
    - {{name: page, role: FE, prompt: "echo done; {DONE}"}}
    - {{name: e-mails, role: FE, prompt: "echo sent; {DONE}", priority: 5}}
  - - {{name: trial, role: QA, prompt: "make trial"}}
    - {{name: manual, role: PM, prompt: "write it"}}
"""
_RELEASE = f"""name: release
defaults: {{role: BE}}
jobs:
  - {{name: build, prompt: "echo built; {DONE}"}}
  - {{name: lint, role: QA, prompt: "echo clean; {DONE}", depends_on: [build]}}
  - {{name: unit tests, role: QA, prompt: "echo 214 passed; {DONE}", depends_on: [build]}}
  - {{name: browser tests, role: QA, prompt: "echo '1 failed'; ls /e2e/checkout.spec", depends_on: [build]}}
  - {{name: change log, role: PM, prompt: "echo written; {DONE}"}}
  - {{name: sign, prompt: "sign it", depends_on: [lint, unit tests, browser tests]}}
  - {{name: ship, prompt: "ship it", depends_on: [sign, change log]}}
"""
_TEXTS = f"""name: texts
jobs:
  - {{name: onboarding, role: FE, prompt: "echo hello > texts.md; {DONE}",
     conditions: [{{person: "Do the texts of the onboarding read well?"}}]}}
"""
_PAGE = """cat > checkout.css <<'END'
.total { font-weight: 600; }
.pay   { background: #4338ca; color: white; }
END
git add -A && git commit -qm 'The checkout page'
mkdir -p shots && cp {pictures}/*.png shots/
echo '✓ checkout page renders       41 ms'; echo '✓ total is right             12 ms'
echo '✓ pays with a saved card     230 ms'; echo '3 passed, 2 pictures in shots/'
echo '.empty { color: grey; }' >> checkout.css
"""


async def busy(office: RunningOffice) -> None:
    """Until everything stands as it is to be shown."""
    async with office.api() as api:
        await api.patch("job-limits", json={"running": 6})
        await _spend(office, api)
        await applied(api, _TEXTS)
        release = await applied(api, _RELEASE)
        await api.post("spec-tasks", json={"title": "Invoices as PDF", "description": "Asked for every month."})
        for title, name, table, tasks in (
            ("Sign in by e-mail", "sign-in-by-e-mail", "sign_in_links", _SIGN_IN),
            ("Export of orders", "export-of-orders", "exports", _EXPORT),
        ):
            await _spec(api, title, name, _PLANNING % {"table": table, "tasks": tasks})
        await _session(office, api)
        await _until(api, f"plans/{release}", "failed")
        await _until(api, "spec-tasks/export-of-orders", "review")
        await api.post("spec-tasks/export-of-orders/versions/1/approve")
        await _until(api, "spec-tasks/sign-in-by-e-mail", "review")
        comment = {"text": "In which database?", "document": "design.md", "line": 4}
        await api.post("spec-tasks/sign-in-by-e-mail/versions/1/send-back", json={"comments": [comment]})
        await _until(api, "spec-tasks/sign-in-by-e-mail", "review")
        await applied(api, _CHECKOUT)
        async with asyncio.timeout(_WAIT_SECONDS):
            while True:
                if (await api.get("questions", params={"status": "open"})).raise_for_status().json()["questions"]:
                    return
                await asyncio.sleep(0.3)


async def _spend(office: RunningOffice, api: httpx.AsyncClient) -> None:
    """What agents would have told of three weeks; scripts cost nothing."""
    async with await psycopg.AsyncConnection.connect(office.status["db_url"], autocommit=True) as database:
        await database.execute(
            "insert into costs (turn_id, office_id, at, role, agent, author, cost_usd, input_tokens, output_tokens)"
            " select gen_random_uuid(), %s, now() - make_interval(days => d), r,"
            " (array['claude', 'codex'])[1 + d %% 2], 'token:first',"
            " round((2 + 1.6 * abs(sin(d * n)))::numeric, 2), 40000 + 900 * d * n, 7000 + 100 * d"
            " from generate_series(0, 20) d, unnest(array['BE', 'FE', 'QA']) with ordinality as x(r, n)"
            " where extract(isodow from now() - make_interval(days => d)) < 6",
            [office.status["office_id"]],
        )
    (await api.put("budgets/office/all/day", json={"cap_usd": 40})).raise_for_status()
    (await api.put("budgets/role/BE/total", json={"cap_usd": 90})).raise_for_status()


async def _spec(api: httpx.AsyncClient, title: str, name: str, planning: str) -> None:
    wishes = {"title": title, "name": name, "start": True, "planning_template": planning, "work_template": _WORK}
    (await api.post("spec-tasks", json=wishes)).raise_for_status()


async def _session(office: RunningOffice, api: httpx.AsyncClient) -> None:
    """One that somebody holds, with work and pictures in its worktree."""
    pictures = office.data / "pictures"
    pictures.mkdir()
    for name, colour in (("checkout-light", (246, 247, 249)), ("checkout-dark", (23, 26, 33))):
        (pictures / f"{name}.png").write_bytes(drawn(colour))
    made = await api.post("sessions", params={"wait": 30}, json={"role": "FE", "task": "checkout-page"})
    session = made.raise_for_status().json()["session_id"]
    text = _PAGE.replace("{pictures}", str(pictures)) + f"{DONE}  # the checkout page"
    await office.final(await office.insert("send_prompt", {"text": text}, session_id=session))


async def _until(api: httpx.AsyncClient, path: str, status: str) -> dict[str, Any]:
    async with asyncio.timeout(_WAIT_SECONDS):
        while True:
            found: dict[str, Any] = (await api.get(path)).raise_for_status().json()
            if found["status"] == status:
                return found
            await asyncio.sleep(0.3)


def drawn(ground: tuple[int, int, int], width: int = 320, height: int = 200) -> bytes:
    """A PNG that could be a page: a bar above, a card, a button."""
    ink = tuple(255 - part for part in ground)
    soft = tuple((9 * part + other) // 10 for part, other in zip(ground, ink, strict=True))
    rows = b""
    for y in range(height):
        line: list[int] = []
        for x in range(width):
            in_card = 40 <= x < 280 and 50 <= y < 180
            in_button = 190 <= x < 264 and 146 <= y < 168
            in_line = in_card and 60 <= x < 200 and y % 24 in (14, 15, 16) and y < 140
            colour = (67, 56, 202) if y < 28 or in_button else ink if in_line else soft if in_card else ground
            line += colour
        rows += b"\0" + bytes(line)
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", zlib.compress(rows)) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
