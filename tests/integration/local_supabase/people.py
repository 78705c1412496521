"""A project with a few people in it, and what can be asked of it by `/rest/v1`."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import psycopg
import pytest
from postgrest.exceptions import APIError

from tests.support.embedded import EmbeddedPostgres
from tests.support.gateway import Project, running_project

SCHEMA = """
create type mood as enum ('sad', 'ok', 'happy');
create table people (
  id bigint generated always as identity primary key,
  name text not null unique,
  age int default 18,
  mood mood not null default 'ok',
  tags text[] not null default '{}',
  data jsonb not null default '{}',
  born_at timestamptz
);
create table owned (id uuid primary key default gen_random_uuid(), owner uuid not null default auth.uid(), body text);
alter table owned enable row level security;
create policy "owners see their own" on owned for select to authenticated using (owner = auth.uid());
create policy "owners write their own" on owned for insert to authenticated with check (owner = auth.uid());
create table pets (id int primary key, person bigint not null references people);
create table closed (id int primary key);
revoke all on closed from anon, authenticated;
create table drop_box (id int generated always as identity, body text);
revoke all on drop_box from anon;
grant insert on drop_box to anon;

create function add(a int, b int default 10) returns int language sql immutable return a + b;
create function nothing() returns void language sql as 'select';
create function no_value() returns text language sql return null;
create function tagged(tags text[]) returns int language sql immutable return cardinality(tags);
create function echo(payload jsonb) returns jsonb language sql immutable return payload;
create function people_older_than(years int) returns setof people language sql stable as
  'select * from people where age > years';
create function numbers(upto int) returns setof int language sql immutable as 'select generate_series(1, upto)';
create function pairs(upto int) returns table (n int, square int) language sql immutable as
  'select i, i * i from generate_series(1, upto) i';
create function youngest() returns people language sql stable as 'select * from people order by age limit 1';
create function add_person(name text) returns people language sql as
  'insert into people (name) values (name) returning *';
create function fail(state text, message text) returns void language plpgsql as $$
begin raise exception using errcode = state, message = message, detail = 'the detail', hint = 'the hint'; end $$;
create function twin(a int) returns int language sql return a;
create function twin(a text) returns text language sql return a;
create function who() returns jsonb language sql stable as
  $$ select jsonb_build_object('user', current_user, 'role', auth.role(), 'sub', auth.uid(),
     'method', current_setting('request.method'), 'path', current_setting('request.path')) $$;
"""
PEOPLE: list[dict[str, Any]] = [
    {"name": "Ann", "age": 30, "mood": "happy", "tags": ["a", "b"], "data": {"city": "Rome", "n": 1}, "born_at": None},
    {"name": "Bob", "age": 20, "mood": "sad", "tags": ["b"], "data": {"city": "Oslo", "n": 2}, "born_at": None},
    {"name": 'C, "the" (D)', "age": None, "mood": "ok", "tags": [], "data": {}, "born_at": "2026-01-02T03:04:05Z"},
]


@asynccontextmanager
async def project_with_people(server: EmbeddedPostgres) -> AsyncGenerator[Project]:
    async with running_project(server, migrated=False) as project:
        await as_owner(project, SCHEMA)
        service: Any = await project.service_role()
        await service.table("people").insert(PEOPLE).execute()
        yield project


async def as_owner(project: Project, statement: str) -> None:
    dsn = project.database.dsn_for("postgres")
    async with await psycopg.AsyncConnection.connect(dsn) as connection:
        await connection.execute(statement.encode())


async def raw(project: Project, method: str, path: str, *, key: str | None = None, **options: Any) -> httpx.Response:
    key = key or project.keys.service_role_key
    headers = {"apikey": key, "Authorization": f"Bearer {key}", **options.pop("headers", {})}
    return await project.http.request(method, f"{project.url}/rest/v1{path}", headers=headers, **options)


def names(rows: Any) -> list[str]:
    return [row["name"] for row in rows.data]


async def refused(query: Any) -> APIError:
    with pytest.raises(APIError) as caught:
        await query.execute()
    return caught.value
