"""`/rest/v1` through the unmodified official client: what is read, called and refused, as PostgREST words it.

One project for all of these tests: none leaves a row behind.
"""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from postgrest import CountMethod

from tests.integration.local_supabase.people import names, project_with_people, raw, refused
from tests.support.embedded import EmbeddedPostgres
from tests.support.gateway import Project

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def project(embedded_postgres: EmbeddedPostgres) -> AsyncIterator[Project]:
    async with project_with_people(embedded_postgres) as project:
        yield project


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(project: Project) -> Any:
    return await project.service_role()


async def test_columns_aliases_casts_and_ways_into_json_are_selected(service: Any) -> None:
    rows = (
        await service.table("people").select("who:name, age::text, data->city, n:data->>n").eq("name", "Ann").execute()
    )
    assert rows.data == [{"who": "Ann", "age": "30", "city": "Rome", "n": "1"}]


async def test_every_filter_finds_what_it_says(service: Any) -> None:
    def people() -> Any:
        return service.table("people").select("name").order("name")

    third = 'C, "the" (D)'
    cases: list[tuple[Any, list[str]]] = [
        (people().eq("age", 30), ["Ann"]),
        (people().neq("name", "Ann"), ["Bob", third]),
        (people().gt("age", 20), ["Ann"]),
        (people().gte("age", 20), ["Ann", "Bob"]),
        (people().lt("age", 30), ["Bob"]),
        (people().lte("age", 30), ["Ann", "Bob"]),
        (people().is_("age", None), [third]),
        (people().not_.is_("age", None), ["Ann", "Bob"]),
        (people().in_("name", ["Ann", third]), ["Ann", third]),
        (people().in_("name", []), []),
        (people().not_.in_("name", ["Ann"]), ["Bob", third]),
        (people().like("name", "A%"), ["Ann"]),
        (people().like("name", "A*"), ["Ann"]),
        (people().ilike("name", "b%"), ["Bob"]),
        (people().ilike_any_of("name", "a%,b%"), ["Ann", "Bob"]),
        (people().contains("tags", ["a", "b"]), ["Ann"]),
        (people().contained_by("tags", ["b"]), ["Bob", third]),
        (people().overlaps("tags", ["a", "x"]), ["Ann"]),
        (people().contains("data", {"city": "Rome"}), ["Ann"]),
        (people().eq("mood", "sad"), ["Bob"]),
        (people().eq("data->>city", "Oslo"), ["Bob"]),
        (people().eq("name", third), [third]),
        (people().gt("born_at", "2026-01-01T00:00:00+00:00"), [third]),
        (people().or_("age.eq.30,mood.eq.sad"), ["Ann", "Bob"]),
        (people().or_("and(age.gte.20,mood.eq.sad),not.and(age.lt.99,age.gt.0)"), ["Bob"]),
        (people().or_('name.eq."C, \\"the\\" (D)",name.in.(Ann,Zoe)'), ["Ann", third]),
        (people().or_("age.is.null,name.not.eq.Ann"), ["Bob", third]),
        (people().match({"age": 20, "mood": "sad"}), ["Bob"]),
    ]
    for query, expected in cases:
        assert names(await query.execute()) == expected, str(query.request.params)


async def test_order_limit_and_offset(service: Any) -> None:
    def people() -> Any:
        return service.table("people").select("name")

    third = 'C, "the" (D)'
    assert names(await people().order("age").execute()) == ["Bob", "Ann", third]
    assert names(await people().order("age", desc=True).execute()) == [third, "Ann", "Bob"]
    assert names(await people().order("age", desc=True, nullsfirst=False).execute()) == ["Ann", "Bob", third]
    assert names(await people().order("mood").order("name").limit(1).offset(1).execute()) == [third]
    assert names(await people().order("name").range(1, 2).execute()) == ["Bob", third]


async def test_counting_says_how_many_there_are_beyond_the_page(project: Project, service: Any) -> None:
    page = await service.table("people").select("name", count=CountMethod.exact).order("name").limit(2).execute()
    assert (len(page.data), page.count) == (2, 3)
    head = await service.table("people").select("*", count=CountMethod.exact, head=True).execute()
    assert head.count == 3
    counting = {"Prefer": "count=exact"}
    partial = await raw(project, "GET", "/people?select=name&limit=2", headers=counting)
    assert (partial.status_code, partial.headers["content-range"]) == (206, "0-1/3")
    whole = await raw(project, "GET", "/people?select=name", headers=counting)
    assert (whole.status_code, whole.headers["content-range"]) == (200, "0-2/3")
    none = await raw(project, "GET", "/people?name=eq.Zoe", headers=counting)
    assert (none.status_code, none.headers["content-range"], none.json()) == (200, "*/0", [])
    beyond = await raw(project, "GET", "/people?offset=9", headers=counting)
    assert (beyond.status_code, beyond.json()["code"]) == (416, "PGRST103")
    ranged = await raw(project, "GET", "/people?select=name&order=name", headers={"Range": "1-1"})
    assert (ranged.json(), ranged.headers["content-range"]) == ([{"name": "Bob"}], "1-1/*")


async def test_one_object_is_given_only_when_there_is_exactly_one(service: Any) -> None:
    ann = await service.table("people").select("name").eq("name", "Ann").single().execute()
    assert ann.data == {"name": "Ann"}
    for query in (service.table("people").select("*").eq("name", "Zoe"), service.table("people").select("*")):
        error = await refused(query.single())
        assert (error.code, error.message) == ("PGRST116", "Cannot coerce the result to a single JSON object")
    missing = await service.table("people").select("*").eq("name", "Zoe").maybe_single().execute()
    assert missing is None


async def test_nulls_are_stripped_on_demand(service: Any) -> None:
    rows = await service.table("people").select("name,born_at").eq("name", "Ann").strip_nulls().execute()
    assert rows.data == [{"name": "Ann"}]


async def test_functions_answer_values_rows_objects_and_nothing(service: Any) -> None:
    async def call(name: str, **arguments: Any) -> Any:
        return (await service.rpc(name, arguments).execute()).data

    assert await call("add", a=1, b=2) == 3
    assert await call("add", a=1) == 11
    assert await call("nothing") == []
    assert await call("no_value") is None
    assert await call("tagged", tags=["x", "y"]) == 2
    assert await call("echo", payload={"a": [1, None]}) == {"a": [1, None]}
    assert await call("numbers", upto=3) == [1, 2, 3]
    assert await call("pairs", upto=2) == [{"n": 1, "square": 1}, {"n": 2, "square": 4}]
    assert (await call("youngest"))["name"] == "Bob"
    assert [row["name"] for row in await call("people_older_than", years=25)] == ["Ann"]


async def test_rows_of_a_function_can_be_filtered_ordered_and_counted(service: Any) -> None:
    query = service.rpc("pairs", {"upto": 5}, count=CountMethod.exact).gt("n", 1).order("n", desc=True).limit(2)
    rows = await query.execute()
    assert (rows.data, rows.count) == ([{"n": 5, "square": 25}, {"n": 4, "square": 16}], 4)
    one = await service.rpc("pairs", {"upto": 5}).select("square").eq("n", 3).single().execute()
    assert one.data == {"square": 9}


async def test_a_function_called_by_get_takes_arguments_from_the_url_and_cannot_write(service: Any) -> None:
    assert (await service.rpc("add", {"a": 1, "b": 5}, get=True).execute()).data == 6
    assert (await service.rpc("tagged", {"tags": ["x", "y"]}, get=True).execute()).data == 2
    assert (await service.rpc("pairs", {"upto": 3}, get=True).eq("n", 3).execute()).data == [{"n": 3, "square": 9}]
    assert (await refused(service.rpc("add_person", {"name": "Zoe"}, get=True))).code == "25006"


async def test_a_function_sees_who_asks(project: Project) -> None:
    anon: Any = await project.anon()
    seen = (await anon.rpc("who", {}).execute()).data
    assert seen == {"user": "anon", "role": "anon", "sub": None, "method": "POST", "path": "/rest/v1/rpc/who"}
    service: Any = await project.service_role()
    assert (await service.rpc("who", {}).execute()).data["user"] == "service_role"


async def test_errors_of_the_database_have_postgrests_statuses(project: Project) -> None:
    async def status(method: str, path: str, *, key: str | None = None, **options: Any) -> tuple[int, str]:
        answer = await raw(project, method, path, key=key, **options)
        assert answer.json().keys() == {"code", "message", "details", "hint"}
        return answer.status_code, answer.json()["code"]

    anon = project.keys.publishable_key
    assert await status("POST", "/people", json={"name": "Ann"}) == (409, "23505")
    assert await status("POST", "/pets", json={"id": 1, "person": 999}) == (409, "23503")
    assert await status("POST", "/people", json={"age": 1}) == (400, "23502")
    assert await status("POST", "/people", json={"name": "x", "mood": "odd"}) == (400, "22P02")
    assert await status("GET", "/people?age=eq.old") == (400, "22P02")
    assert await status("GET", "/people?nope=eq.1") == (400, "42703")
    assert await status("GET", "/people?select=nope") == (400, "42703")
    assert await status("GET", "/closed", key=anon) == (401, "42501")
    assert await status("POST", "/rpc/fail", json={"state": "P0001", "message": "no"}) == (400, "P0001")
    assert await status("POST", "/rpc/fail", json={"state": "PT409", "message": "no"}) == (409, "PT409")
    assert await status("POST", "/rpc/fail", json={"state": "42501", "message": "no"}) == (403, "42501")
    assert await status("POST", "/rpc/fail", json={"state": "XX000", "message": "no"}) == (500, "XX000")


async def test_an_exception_raised_in_sql_arrives_whole(service: Any) -> None:
    error = await refused(service.rpc("fail", {"state": "P0001", "message": "not today"}))
    assert (error.code, error.message, error.details, error.hint) == ("P0001", "not today", "the detail", "the hint")


async def test_what_does_not_exist_is_said_as_postgrest_says_it(project: Project, service: Any) -> None:
    table = await refused(service.table("nowhere").select("*"))
    assert (table.code, table.message) == ("PGRST205", "Could not find the table 'public.nowhere' in the schema cache")
    function = await refused(service.rpc("nothing_like_it", {"x": 1}))
    assert function.code == "PGRST202"
    assert (await refused(service.rpc("add", {"nope": 1}))).code == "PGRST202"
    assert (await refused(service.rpc("twin", {"a": 1}))).code == "PGRST203"
    assert (await refused(service.table("people").insert({"nope": 1}))).code == "PGRST204"
    assert (await refused(service.schema("secret").table("people").select("*"))).code == "PGRST106"
    assert (await raw(project, "POST", "/rpc/twin", json={"a": 1})).status_code == 300
    assert (await raw(project, "GET", "/nowhere")).status_code == 404


async def test_what_cannot_be_read_or_is_not_served_is_an_error_and_never_a_guess(
    project: Project, service: Any
) -> None:
    async def code(path: str, **options: Any) -> str:
        return (await raw(project, options.pop("method", "GET"), path, **options)).json()["code"]

    assert await code("/people?select=name,pets(id)") == "PGRST127"
    assert await code("/people?select=count()") == "PGRST127"
    assert await code("/people?pets.id=eq.1") == "PGRST127"
    assert await code("/people?name=fts.cat") == "PGRST127"
    assert await code("/people?name=eq.x&limit=1", method="DELETE") == "PGRST127"
    assert await code("/people?name=Ann") == "PGRST100"
    assert await code("/people?or=(name.eq.Ann") == "PGRST100"
    assert await code("/people?order=name.sideways") == "PGRST100"
    assert await code("/people?select=name;drop table people") == "PGRST100"
    assert await code("/people?limit=-1") == "PGRST103"
    assert await code("/people", method="POST", content=b"{") == "PGRST102"
    assert await code("/people", method="POST", json=[{"name": "x"}, {"age": 1}]) == "PGRST102"
    assert await code("/people", method="POST", json=[1]) == "PGRST102"
    assert await code("/rpc/add", method="POST", json=[1]) == "PGRST102"
    assert await code("/people", headers={"Accept": "text/csv"}) == "PGRST107"
    assert await code("/people", method="POST", content=b"a", headers={"Content-Type": "text/csv"}) == "PGRST107"
    assert await code("/people?name=eq.x", method="PUT", json={"name": "x"}) == "PGRST117"


async def test_names_and_values_cannot_become_sql(project: Project, service: Any) -> None:
    for hostile in ("x'; drop table people; --", '"; drop table people; --', "\\'; --", "$1", "%s"):
        assert (await service.table("people").select("*").eq("name", hostile).execute()).data == []
        assert (await refused(service.table("people").insert({hostile: 1}))).code == "PGRST204"
        await raw(project, "GET", "/people", params={"select": f'data->"{hostile}"'})
        await raw(project, "GET", "/people", params={"order": f'"{hostile}"'})
        await raw(project, "GET", "/people", params={"select": f'"{hostile}":name'})
    comment = await raw(project, "GET", "/people", params={"select": 'data->"--5"'})
    assert comment.json() == [{"--5": None}] * 3
    assert (await service.table("people").select("*", count=CountMethod.exact).execute()).count == 3


async def test_tokens_that_cannot_be_trusted_are_refused(project: Project) -> None:
    forged: Any = await project.client(project.keys.publishable_key, token="a.b.c")
    assert (await refused(forged.table("people").select("*"))).code == "PGRST301"
    unknown_key = await raw(project, "GET", "/people", key="not-a-key")
    assert (unknown_key.status_code, unknown_key.json()["message"]) == (401, "Invalid API key")
    nothing = await project.http.get(f"{project.url}/rest/v1/people")
    assert (nothing.status_code, nothing.json()["message"]) == (401, "No API key found in request")
