-- What a client can take at present: its places, its idle sessions, and the roles for which it cannot make any.

-- The circuit of a role on a client. A row stands while it is open; the client then takes only what an idle session can serve.
--   (no row) → open    three tries in a row to make a session failed            open_circuit
--   open → open        the trial that came after its time failed as well         open_circuit
--   open → (no row)    the trial succeeded, or the client has started anew       close_circuit, register_client
-- The client makes the trial by itself, once, with no command in hand: none is spent on it.
create table role_circuits (
  client_id  uuid not null references remote_clients on delete cascade,
  office_id  uuid not null references offices on delete cascade,
  role       text not null,
  failures   integer not null check (failures > 0),  -- in a row
  error_code text not null,
  error      text not null,
  opened_at  timestamptz not null default now(),
  open_until timestamptz not null,                   -- when the trial is due
  primary key (client_id, office_id, role)
);
create index role_circuits_office on role_circuits (office_id);

alter table role_circuits enable row level security;
revoke all on role_circuits from anon, authenticated, service_role;
grant select on role_circuits to authenticated, service_role;
create policy "members and the machine see its circuits" on role_circuits
  for select to authenticated using (semo.has_role(office_id, 'viewer') or client_id = semo.calling_client());

-- Draws, of role_circuits: (no row) → open, open → open.
create function open_circuit(p_client uuid, p_epoch bigint, p_office uuid, p_role text, p_failures integer, p_open_seconds integer,
                             p_error_code text, p_error text)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
begin
  perform semo.own_client(p_client, p_epoch);
  if not exists (select 1 from client_offices where client_id = p_client and office_id = p_office) then
    perform semo.refuse('SO005', format('client %s does not serve office %s', p_client, p_office));
  end if;
  insert into role_circuits as c (client_id, office_id, role, failures, error_code, error, open_until)
  values (p_client, p_office, p_role, p_failures, p_error_code, p_error, now() + make_interval(secs => p_open_seconds))
  on conflict (client_id, office_id, role) do update set
    failures = excluded.failures, error_code = excluded.error_code, error = excluded.error, open_until = excluded.open_until;
end $$;

-- Draws, of role_circuits: open → (no row). One that is closed stays closed.
create function close_circuit(p_client uuid, p_epoch bigint, p_office uuid, p_role text)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
begin
  perform semo.own_client(p_client, p_epoch);
  delete from role_circuits where client_id = p_client and office_id = p_office and role = p_role;
end $$;

-- Whether a client's agents can do what a command names.
create function semo.is_capable(p_client remote_clients, p_payload jsonb)
returns boolean language sql immutable as $$
  select case when p_payload ? 'agent' then coalesce(p_client.capabilities -> 'agents', '{}') ? (p_payload ->> 'agent')
              else p_client.capabilities ? 'default_agent' end
     and (not p_payload ? 'mcp' or coalesce(p_client.capabilities -> 'mcp', '[]') ? (p_payload ->> 'mcp'))
$$;

-- Places of a client that are taken: sessions in somebody's hands, and claimed work that has no session yet.
create function semo.places_taken(p_client uuid)
returns bigint language plpgsql stable set search_path = public, pg_temp as $$
begin
  return (select count(*) from agent_sessions s where s.client_id = p_client and s.ended_at is null and s.acquired_by is not null)
       + (select count(*) from agent_commands c where c.claimed_by = p_client and c.status = 'processing'
            and semo.needs_place(c.command_type, c.session_id)
            and not exists (select 1 from agent_sessions s where s.acquired_by = c.id and s.ended_at is null));
end $$;

-- The same for a whole office, over all its clients that are there; a machine that is away holds nobody up.
create function semo.places_taken_in_office(p_office uuid)
returns bigint language plpgsql stable set search_path = public, pg_temp as $$
begin
  return (select count(*) from agent_sessions s join remote_clients r on r.id = s.client_id and semo.is_online(r)
             where s.office_id = p_office and s.ended_at is null and s.acquired_by is not null)
       + (select count(*) from agent_commands c where c.office_id = p_office and c.status = 'processing'
            and semo.needs_place(c.command_type, c.session_id)
            and not exists (select 1 from agent_sessions s where s.acquired_by = c.id and s.ended_at is null));
end $$;

-- Whether a session waits in the client's pool that the command may have as it is.
create function semo.has_idle_session(p_client uuid, p_office uuid, p_payload jsonb)
returns boolean language plpgsql stable set search_path = public, pg_temp as $$
begin
  return not p_payload ?| '{task,base,model,mcp,resume}' and exists (
    select 1 from agent_sessions s
    where s.client_id = p_client and s.office_id = p_office and s.role = p_payload ->> 'role' and s.ended_at is null
      and s.status = 'ready' and s.acquired_by is null and (not p_payload ? 'agent' or s.agent = p_payload ->> 'agent'));
end $$;

-- Whether it leaves the work of an office to machines that have a repository for it. Where none has, it takes the work and says what its
-- policy lacks.
create function semo.leaves_to_others(p_client uuid, p_office uuid)
returns boolean language sql stable set search_path = public, pg_temp as $$
  select exists (select 1 from client_offices o where o.client_id = p_client and o.office_id = p_office and semo.lacks_repository(o))
     and exists (select 1 from client_offices o join remote_clients c on c.id = o.client_id
                 where o.office_id = p_office and c.revoked_at is null and not semo.lacks_repository(o))
$$;

-- What keeps a client from getting a session for a command, as a stable word: circuit_open, or why it holds back; null when nothing does.
create function semo.no_session_because(p_client remote_clients, p_office uuid, p_payload jsonb)
returns text language plpgsql stable set search_path = public, pg_temp as $$
declare
  v_reason text;
begin
  if semo.leaves_to_others(p_client.id, p_office) then
    return 'no_repository';
  end if;
  select 'circuit_open' into v_reason from role_circuits c
  where c.client_id = p_client.id and c.office_id = p_office and c.role = p_payload ->> 'role';
  if v_reason is null and p_client.holding_back -> 'agents' ? coalesce(p_payload ->> 'agent', p_client.capabilities ->> 'default_agent') then
    v_reason := p_client.holding_back ->> 'reason';
  end if;
  return case when v_reason is not null and not semo.has_idle_session(p_client.id, p_office, p_payload) then v_reason end;
end $$;

revoke execute on function open_circuit, close_circuit from public, anon;
grant execute on function open_circuit, close_circuit to authenticated, service_role;
