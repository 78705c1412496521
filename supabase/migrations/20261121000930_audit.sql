-- Who did what: one row for each act, written in its own transaction, that nobody changes or removes afterwards, not even the service.

create table audit_log (
  id        bigint generated always as identity primary key,
  office_id uuid,                                -- not a reference: it outlives the office; null: an act on no single one
  at        timestamptz not null default now(),
  actor     text not null,                       -- token:NAME, user:ID, client:ID; service_role or sql:NAME where a person used the database
  actor_id  uuid,                                -- of the token, the user or the client
  action    text not null,                       -- thing.what
  subject   text,                                -- the id of what it was done to
  detail    jsonb not null default '{}'          -- never a secret, nor the text of a prompt
);
create index audit_log_office on audit_log (office_id, id desc);

create function semo.refuse_change() returns trigger language plpgsql as $$
begin
  perform semo.refuse('SO005', 'the audit log is only ever added to');
  return null;
end $$;
create trigger audit_log_is_kept before update or delete on audit_log for each row execute function semo.refuse_change();
create trigger audit_log_is_kept_whole before truncate on audit_log for each statement execute function semo.refuse_change();

-- Who acts: {"name","id"}. The office server says in a header for whom it asks; nobody else is believed.
create function semo.actor()
returns jsonb language plpgsql stable security definer set search_path = public, pg_temp as $$
declare
  v_said jsonb;
begin
  if auth.role() = 'service_role' then
    v_said := nullif(current_setting('request.headers', true), '')::jsonb ->> 'x-semo-actor';
    return coalesce(v_said, '{"name":"service_role"}');
  elsif auth.role() = 'authenticated' then
    return case when semo.calling_client() is not null then jsonb_build_object('name', 'client:' || semo.calling_client(), 'id', semo.calling_client())
                else jsonb_build_object('name', 'user:' || auth.uid(), 'id', auth.uid()) end;
  end if;
  return jsonb_build_object('name', 'sql:' || session_user);
end $$;

-- Notes an act: to be called by the SQL function that does it.
create function semo.audit(p_office uuid, p_action text, p_subject text default null, p_detail jsonb default '{}')
returns void language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_actor jsonb := semo.actor();
begin
  insert into audit_log (office_id, actor, actor_id, action, subject, detail)
  values (p_office, left(v_actor ->> 'name', 300), (v_actor ->> 'id')::uuid, p_action, p_subject, jsonb_strip_nulls(coalesce(p_detail, '{}')));
end $$;

-- A row as the log shows it: without hashes and what changes by itself, long texts by their length.
create function semo.for_audit(p_row jsonb)
returns jsonb language sql immutable as $$
  select coalesce(jsonb_object_agg(key, case when length(value #>> '{}') > 300 then to_jsonb(length(value #>> '{}') || ' characters') else value end), '{}')
  from jsonb_each(p_row - array['token_hash', 'code_hash', 'idempotency_key', 'rendered', 'rendered_version', 'last_used_at', 'created_at', 'updated_at', 'last_seen_at'])
  where value <> 'null'
$$;

-- What a row became: tg_argv[0] is the thing, tg_argv[1] the column with its id. Of a change, what is different is noted.
create function semo.audit_row() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_old jsonb := case when tg_op <> 'INSERT' then to_jsonb(old) end;
  v_new jsonb := case when tg_op <> 'DELETE' then to_jsonb(new) end;
  v_row jsonb := coalesce(v_new, v_old);
  v_detail jsonb := semo.for_audit(v_row);
begin
  if tg_op = 'UPDATE' then
    select coalesce(jsonb_object_agg(d.key, d.value), '{}') into v_detail
    from jsonb_each(semo.for_audit(v_new)) d where d.value is distinct from semo.for_audit(v_old) -> d.key;
    if v_detail = '{}' and semo.for_audit(v_new) = semo.for_audit(v_old) then
      return null;
    end if;
  end if;
  perform semo.audit((v_row ->> case when tg_argv[0] = 'office' then 'id' else 'office_id' end)::uuid,
    tg_argv[0] || '.' || case when tg_op = 'INSERT' then 'added' when tg_op = 'DELETE' then 'removed'
                              when v_detail ? 'revoked_at' then 'revoked' else 'changed' end,
    v_row ->> tg_argv[1], v_detail);
  return null;
end $$;
create trigger audit_offices after insert or update or delete on offices for each row execute function semo.audit_row('office', 'id');
create trigger audit_members after insert or update or delete on office_members for each row execute function semo.audit_row('member', 'user_id');
create trigger audit_personas after insert or update of name, role, persona_prompt, scope_patterns, core_skills or delete on agent_personas
  for each row execute function semo.audit_row('persona', 'role');
create trigger audit_tokens after insert or update of name, role, office_id, expires_at, revoked_at or delete on api_tokens
  for each row execute function semo.audit_row('token', 'id');
create trigger audit_enrollments after insert on enrollments for each row execute function semo.audit_row('enrollment', 'id');
create trigger audit_client_offices after insert or delete on client_offices for each row execute function semo.audit_row('client', 'client_id');

create function semo.audit_client() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
  perform semo.audit(o.office_id, case when new.name <> old.name then 'client.renamed' else 'client.revoked' end, new.id::text,
                     jsonb_build_object('name', new.name)) from client_offices o where o.client_id = new.id;
  return null;
end $$;
create trigger audit_clients after update of name, revoked_at on remote_clients
  for each row when (new.name <> old.name or (new.revoked_at is not null and old.revoked_at is null)) execute function semo.audit_client();

-- Commands: what was asked for and withdrawn, once for a statement.
create function semo.audit_commands() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_actor jsonb := semo.actor();
begin
  insert into audit_log (office_id, actor, actor_id, action, subject, detail)
  select office_id, left(v_actor ->> 'name', 300), (v_actor ->> 'id')::uuid, 'command.asked', id::text,
         jsonb_strip_nulls(jsonb_build_object('command_type', command_type, 'role', payload -> 'role', 'session_id', session_id, 'author',
                                              case when author <> v_actor ->> 'name' then author end))
  from inserted order by seq;
  return null;
end $$;
create trigger audit_commands after insert on agent_commands referencing new table as inserted
  for each statement execute function semo.audit_commands();

alter table audit_log enable row level security;
revoke all on audit_log from anon, authenticated, service_role;
revoke all on sequence audit_log_id_seq from anon, authenticated, service_role;
grant select on audit_log to authenticated, service_role;
create policy "admins see who did what" on audit_log
  for select to authenticated using (semo.has_role(office_id, 'admin'));

-- What was asked for under an Idempotency-Key is made once.
alter table offices     add column idempotency_key text unique check (length(idempotency_key) between 1 and 200);
alter table api_tokens  add column idempotency_key text check (length(idempotency_key) between 1 and 200), add unique (office_id, idempotency_key);
alter table enrollments add column idempotency_key text check (length(idempotency_key) between 1 and 200), add unique (office_id, idempotency_key);
revoke execute on all functions in schema semo from public;
