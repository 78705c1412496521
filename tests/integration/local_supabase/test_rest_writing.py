"""`/rest/v1` through the unmodified official client: what is written, and who may see it then."""

import asyncio
import uuid
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from postgrest import CountMethod, ReturnMethod

from tests.integration.local_supabase.people import as_owner, names, project_with_people, raw, refused
from tests.support.embedded import EmbeddedPostgres
from tests.support.gateway import Project


@pytest.fixture
async def project(embedded_postgres: EmbeddedPostgres) -> AsyncGenerator[Project]:
    async with project_with_people(embedded_postgres) as project:
        yield project


@pytest.fixture
async def service(project: Project) -> Any:
    return await project.service_role()


async def test_one_row_many_rows_and_defaults_are_inserted(service: Any) -> None:
    one = await service.table("people").insert({"name": "Dan"}).execute()
    assert (one.data[0]["age"], one.data[0]["mood"], one.data[0]["tags"]) == (18, "ok", [])
    rows = [{"name": "Eve", "age": 1}, {"name": "Fay"}]
    absent_is_null = await service.table("people").insert(rows).execute()
    assert [row["age"] for row in absent_is_null.data] == [1, None]
    rows = [{"name": "Gus", "age": 1}, {"name": "Hal", "mood": "sad"}]
    absent_is_default = await service.table("people").insert(rows, default_to_null=False).execute()
    assert [(row["age"], row["mood"]) for row in absent_is_default.data] == [(1, "ok"), (18, "sad")]
    assert (await service.table("people").insert([]).execute()).data == []


async def test_json_arrays_and_big_numbers_arrive_unharmed(service: Any) -> None:
    data = {"deep": [1, {"x": None}], "text": "quote ' \" \\ \u00e9 %s $1", "big": 9007199254740993}
    row = await service.table("people").insert({"name": "Ida", "data": data, "tags": ["x,y", 'q"']}).execute()
    assert (row.data[0]["data"], row.data[0]["tags"]) == (data, ["x,y", 'q"'])


async def test_what_a_write_returns_is_the_clients_choice(project: Project, service: Any) -> None:
    minimal = await service.table("people").insert({"name": "Jon"}, returning=ReturnMethod.minimal).execute()
    assert minimal.data == []
    chosen = await service.table("people").insert({"name": "Kim"}).select("name", "age").execute()
    assert chosen.data == [{"name": "Kim", "age": 18}]
    prefer = {"Prefer": "return=headers-only"}
    answer = await raw(project, "POST", "/people", json={"name": "Lea"}, headers=prefer)
    assert answer.status_code == 201
    assert answer.headers["location"].startswith("/people?id=eq.")


async def test_a_role_that_may_insert_but_not_read_can_insert(project: Project) -> None:
    anon: Any = await project.anon()
    await anon.table("drop_box").insert({"body": "x"}, returning=ReturnMethod.minimal).execute()
    error = await refused(anon.table("drop_box").insert({"body": "x"}))
    assert error.code == "42501"


async def test_upserts_merge_or_ignore_duplicates(service: Any) -> None:
    people = service.table("people")
    merged = await people.upsert({"name": "Ann", "age": 31}, on_conflict="name").execute()
    assert (merged.data[0]["age"], merged.data[0]["mood"]) == (31, "happy")
    rows = [{"name": "Ann", "age": 99}, {"name": "New", "age": 5}]
    ignored = await people.upsert(rows, on_conflict="name", ignore_duplicates=True).execute()
    assert names(ignored) == ["New"]
    pets = service.table("pets")
    await pets.insert({"id": 1, "person": 1}).execute()
    assert (await pets.upsert({"id": 1, "person": 2}).execute()).data == [{"id": 1, "person": 2}]


async def test_updates_and_deletes_touch_what_the_filter_says(service: Any) -> None:
    people = service.table("people")
    updated = await people.update({"age": 21, "data": {"a": 1}}).eq("name", "Bob").execute()
    assert (updated.data[0]["age"], updated.data[0]["data"]) == (21, {"a": 1})
    assert (await people.update({"age": 1}).eq("name", "Zoe").execute()).data == []
    counted = await people.update({"mood": "ok"}, count=CountMethod.exact).gt("age", 0).execute()
    assert counted.count == 2
    assert names(await people.delete().eq("name", "Bob").execute()) == ["Bob"]
    assert names(await people.select("name").order("name").execute()) == ["Ann", 'C, "the" (D)']


async def test_a_write_without_a_filter_is_refused_as_on_supabase(service: Any) -> None:
    assert (await refused(service.table("people").delete())).message == "DELETE requires a WHERE clause"
    assert (await refused(service.table("people").update({"age": 1}))).code == "21000"


async def test_a_write_that_touches_too_many_rows_is_undone(project: Project, service: Any) -> None:
    error = await refused(service.table("people").update({"age": 1}).gt("age", 0).max_affected(1))
    assert error.code == "PGRST124"
    one = {"Accept": "application/vnd.pgrst.object+json", "Prefer": "return=representation"}
    answer = await raw(project, "PATCH", "/people?age=gt.0", json={"age": 1}, headers=one)
    assert (answer.status_code, answer.json()["code"]) == (406, "PGRST116")
    assert (await service.table("people").select("age").eq("age", 1).execute()).data == []


async def test_policies_decide_by_the_token_of_the_user(project: Project) -> None:
    service: Any = await project.service_role()
    people: list[Any] = []
    for name in ("ann", "bob"):
        await service.auth.admin.create_user({"email": f"{name}@x.y", "password": "secret1", "email_confirm": True})
        people.append(await project.signed_in(f"{name}@x.y", "secret1"))
    ann, bob = people
    await ann.table("owned").insert({"body": "of ann"}).execute()
    assert len((await ann.table("owned").select("*").execute()).data) == 1
    assert (await bob.table("owned").select("*").execute()).data == []
    anon: Any = await project.anon()
    assert (await anon.table("owned").select("*").execute()).data == []
    error = await refused(bob.table("owned").insert({"body": "x", "owner": str(uuid.uuid4())}))
    assert error.code == "42501"
    assert len((await service.table("owned").select("*").execute()).data) == 1


async def test_requests_at_the_same_time_never_see_each_others_role_or_rows(project: Project) -> None:
    service: Any = await project.service_role()
    anon: Any = await project.anon()

    async def one(number: int) -> None:
        client, role = (service, "service_role") if number % 2 else (anon, "anon")
        assert (await client.rpc("who", {}).execute()).data["user"] == role
        assert (await client.rpc("add", {"a": number}).execute()).data == number + 10
        if number % 5 == 0:
            assert (await refused(client.rpc("fail", {"state": "P0001", "message": str(number)}))).message == str(
                number
            )

    await asyncio.gather(*(one(number) for number in range(100)))


async def test_a_table_made_or_changed_while_serving_is_known_at_once(project: Project, service: Any) -> None:
    await as_owner(project, "create table fresh (id int)")
    assert (await service.table("fresh").insert({"id": 1}).execute()).data == [{"id": 1}]
    await as_owner(project, "alter table fresh add column body text")
    await service.table("fresh").update({"id": 2}).eq("id", 1).execute()
    assert (await service.table("fresh").select("*").execute()).data == [{"id": 2, "body": None}]


async def test_a_body_that_is_too_large_is_refused(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local_supabase.gateway.MOST_BODY_BYTES", 1000)
    answer = await raw(project, "POST", "/people", json={"name": "x" * 2000})
    assert (answer.status_code, answer.json()["message"]) == (413, "Payload too large")
