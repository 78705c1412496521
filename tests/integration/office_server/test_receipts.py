"""What one can see of a command's way: each step of each attempt, in the API."""

from datetime import datetime

import pytest

from tests.integration.office_server.conftest import Api
from tests.integration.office_server.machine import Machine

pytestmark = pytest.mark.asyncio(loop_scope="session")
STEPS = ("offered_at", "claimed_at", "finished_at", "reported_at")


async def test_each_attempt_shows_its_steps_and_earlier_ones_stay_visible(admin: Api, machine: Machine):
    asked = {"command_type": "send_prompt", "payload": {"text": "die once", "role": "BE"}, "max_attempts": 2}
    command = (await admin.post("/commands", asked)).json()["command_id"]
    seen = (await admin.get(f"/commands/{command}", wait=30)).json()
    first, second = seen["receipts"]
    assert (first["attempt"], first["ended"], first["error_code"]) == (1, "failed", "turn_error")
    assert (second["attempt"], second["ended"], second["error_code"]) == (2, "completed", None)
    assert {first["client_id"], second["client_id"]} == {machine.client}
    moments = [datetime.fromisoformat(second[step]) for step in STEPS]
    assert moments == sorted(moments)
    assert first["reported_at"] < second["offered_at"]
    (listed,) = (await admin.get("/commands")).json()["commands"]
    assert {step: listed[step] for step in STEPS} == {step: second[step] for step in STEPS}


async def test_a_command_that_nobody_took_has_one_receipt_that_goes_on(admin: Api):
    command = (await admin.post("/prompts", {"text": "x", "role": "BE"})).json()["command_id"]
    (receipt,) = (await admin.get(f"/commands/{command}")).json()["receipts"]
    assert receipt["offered_at"]
    assert (receipt["claimed_at"], receipt["client_id"], receipt["ended"]) == (None, None, None)
