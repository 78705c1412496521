-- The schema `realtime` as our code meets it on Supabase. Applied as the superuser `supabase_admin` at every start,
-- after bootstrap.sql: each statement may find its work done. PostgreSQL 15 to 18, no extensions.

create schema if not exists realtime authorization supabase_realtime_admin;
grant usage on schema realtime to postgres, anon, authenticated, service_role;
grant all on schema realtime to supabase_realtime_admin;

-- A broadcast is a row. On Supabase the table is partitioned by day; here the gateway deletes what is older than 72 h.
create table if not exists realtime.messages (
  topic text not null,
  extension text not null,
  payload jsonb,
  event text,
  private boolean default false,
  updated_at timestamp not null default now(),
  inserted_at timestamp not null default now(),
  id uuid not null default gen_random_uuid(),
  primary key (id, inserted_at)
);
create index if not exists messages_inserted_at_index on realtime.messages (inserted_at);
alter table realtime.messages owner to supabase_realtime_admin;
alter table realtime.messages enable row level security;
grant select, insert, update on realtime.messages to postgres, anon, authenticated, service_role;

do $$
begin
  if not exists (select from pg_publication where pubname = 'supabase_realtime_messages_publication') then
    create publication supabase_realtime_messages_publication for table realtime.messages with (publish = 'insert');
  end if;
  if not exists (select from pg_publication where pubname = 'supabase_realtime') then
    create publication supabase_realtime;
  end if;
end $$;

-- The topic that is being joined or sent to: what policies on realtime.messages decide by.
create or replace function realtime.topic() returns text language sql stable as $$
  select nullif(current_setting('realtime.topic', true), '')::text
$$;

-- Broadcasts from the database. It never fails: what goes wrong is a warning, and the message is lost.
create or replace function realtime.send(payload jsonb, event text, topic text, private boolean default true)
returns void language plpgsql as $$
declare
  message_id uuid := gen_random_uuid();
begin
  if not payload ? 'id' then
    payload := jsonb_set(payload, '{id}', to_jsonb(message_id));
  end if;
  perform set_config('realtime.topic', topic, true);
  insert into realtime.messages (id, payload, event, topic, private, extension)
  values (message_id, payload, event, topic, private, 'broadcast');
exception
  when others then
    raise warning 'ErrorSendingBroadcastMessage: %', sqlerrm;
end $$;

-- Broadcasts the change that a row trigger saw. Unlike `send`, it fails loudly.
create or replace function realtime.broadcast_changes(
  topic_name text, event_name text, operation text, table_name text, table_schema text,
  new record, old record, level text default 'ROW'
) returns void language plpgsql as $$
begin
  if level = 'STATEMENT' then
    raise exception 'function can only be triggered for each row, not for each statement';
  end if;
  perform realtime.send(
    jsonb_build_object(
      'record', new, 'old_record', old, 'operation', operation, 'table', table_name, 'schema', table_schema),
    event_name, topic_name);
exception
  when others then
    raise exception 'Failed to process the row: %', sqlerrm;
end $$;

-- Refuses, in the real server's words, a postgres_changes binding that could not be served later.
-- Arrays run in parallel: one column, operator and value for each filter.
create or replace function realtime.check_binding(
  entity oid, role_name text, filter_columns text[], filter_operators text[], filter_values text[], selected text[]
) returns void language plpgsql as $$
declare
  readable text[];
  filter record;
  column_type regtype;
  ignored text;
begin
  perform format('%I', role_name)::regrole;
  readable := coalesce(array_agg(a.attname::text), '{}') from pg_attribute a
    where a.attrelid = entity and a.attnum > 0 and not a.attisdropped
      and has_column_privilege(role_name, entity, a.attnum, 'SELECT');
  for filter in
    select * from unnest(filter_columns, filter_operators, filter_values) as f (name, operator, value)
  loop
    if not filter.name = any (readable) then
      raise exception 'invalid column for filter %', filter.name;
    end if;
    column_type := atttypid::regtype from pg_attribute where attrelid = entity and attname = filter.name;
    if filter.operator = 'is' then
      if filter.value not in ('null', 'true', 'false', 'unknown') then
        raise exception 'invalid value for is filter: must be null, true, false, or unknown';
      elsif filter.value <> 'null' and column_type <> 'boolean'::regtype then
        raise exception 'is % filter requires a boolean column, got %', filter.value, column_type::text;
      end if;
    elsif filter.operator = 'in' then
      execute format('select cardinality(%L::%s[])', filter.value, column_type) into ignored;
      if ignored::int > 100 then
        raise exception 'too many values for `in` filter. Maximum 100';
      end if;
    else
      execute format('select %L::%s', filter.value, column_type) into ignored;
    end if;
  end loop;
  for ignored in select name from unnest(selected) as s (name) where not s.name = any (readable) loop
    raise exception 'invalid column for select %', ignored;
  end loop;
end $$;
revoke all on function realtime.check_binding from public;

alter function realtime.topic() owner to supabase_realtime_admin;
alter function realtime.send(jsonb, text, text, boolean) owner to supabase_realtime_admin;
alter function realtime.broadcast_changes(text, text, text, text, text, record, record, text)
  owner to supabase_realtime_admin;
grant execute on all functions in schema realtime to postgres, anon, authenticated, service_role;
revoke all on function realtime.check_binding from postgres, anon, authenticated, service_role;
