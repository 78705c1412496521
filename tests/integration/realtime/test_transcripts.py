"""The embedded Realtime answers as the real one did: every recorded session, frame by frame.

What is left out, and what one gets instead:

| Left out | Why | Here |
| --- | --- | --- |
| vsn 2.0.0 (JavaScript's default) | the Python client speaks 1.0.0 only | handshake refused: 403 |
| an unknown tenant (04a) | there is one project | any Host is served |
| broadcast of bytes, `realtime.send_binary` (07) | never delivered to vsn 1.0.0 | the function does not exist |
| INSERT and DELETE before the poll: the INSERT is never seen (16) | changes are streamed, not polled | it may be seen |
| rows lost between a first join's reply and its system message (24) | that is a gap, not a promise | they arrive |
| server restart (o05) | it is not one session | test_failures.py, test_official_client.py |
| Presence | nothing of ours uses it | join refused: `NotInEmbeddedGateway: Presence …` |
| broadcast replay | nothing of ours uses it | join refused: `NotInEmbeddedGateway: broadcast replay …` |
| filters like, ilike, match, imatch, isdistinct | nothing of ours uses them | "Error parsing `filter` params: …" |
"""

from datetime import timedelta

import pytest

from local_supabase.database import Database
from local_supabase.realtime.config import Limits
from tests.integration.realtime.gateway import FIXTURES, running_gateway
from tests.integration.realtime.replay import Replay, cases
from tests.support.embedded import EmbeddedPostgres


@pytest.mark.parametrize("case", cases())
async def test_a_recorded_session_is_answered_with_the_same_frames(
    database: Database, embedded_postgres: EmbeddedPostgres, case: str
):
    limits = Limits(resubscribe_after=timedelta(seconds=0.4), join_denial_delay=timedelta(milliseconds=10))
    async with running_gateway(database, embedded_postgres.keys, limits) as gateway:
        await gateway.execute((FIXTURES / "schema.sql").read_text())
        assert await Replay(gateway, case).play() > 0
