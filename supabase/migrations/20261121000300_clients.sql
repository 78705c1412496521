-- The machines that lend their terminals: how they join, who they are, and how an older process of one is fenced out.

create table remote_clients (
  id            uuid primary key default gen_random_uuid(),
  user_id       uuid unique references auth.users on delete set null,  -- its own Supabase Auth user
  name          text not null check (name ~ '\S' and length(name) <= 100),
  capabilities  jsonb not null default '{}',  -- {"agents":{"shell":"5.2"},"default_agent":"shell","mcp":[…],"repository":…}
  capacity      integer not null default 6 check (capacity between 0 and 100),  -- sessions in use at once
  holding_back  jsonb,                        -- why some agents get no new sessions: {"reason":"low_memory","free_mb","agents":{"claude":{"needed_mb"}}}
  policy        jsonb,                        -- its machine's policy in force, as a summary for people: remote_client/standing.py
  memory        jsonb,                        -- {"total","free"} in MB, of the last heartbeat
  epoch         bigint not null default 0,    -- rises with every start of the client; older ones are fenced out
  started_as    uuid,                         -- the start that has the epoch; its journal knows of it
  claims_from   bigint not null default 0,    -- claims with lower numbers were given up by the process; they take nothing any more
  version       text,
  created_at    timestamptz not null default now(),
  registered_at timestamptz,
  last_seen_at  timestamptz,
  missed_since  timestamptz,                  -- it vanished: when it was heard of last before that was noticed
  signed_off_at timestamptz,                  -- it said that it ends; null while it runs, or if it just vanished
  draining_since timestamptz,                 -- it gets no new sessions, and finishes what it has
  paused_since  timestamptz,                  -- the same, as its own user wants it; the office cannot undo it
  revoked_at    timestamptz
);

create table client_offices (
  client_id  uuid not null references remote_clients on delete cascade,
  office_id  uuid not null references offices on delete cascade,
  joined_at  timestamptz not null default now(),
  repository jsonb,                           -- in which this office's work happens there: {"name","path","base","missing"?}; null: in none
  repository_told boolean not null default false,
  primary key (client_id, office_id)
);
create index client_offices_office on client_offices (office_id);

-- One-time codes. Only the hash is kept.
create table enrollments (
  id         uuid primary key default gen_random_uuid(),
  office_id  uuid not null references offices on delete cascade,
  code_hash  text not null unique check (code_hash ~ '^[0-9a-f]{64}$'),
  created_by text not null default 'unknown',
  created_at timestamptz not null default now(),
  expires_at timestamptz not null default now() + interval '10 minutes',
  used_at    timestamptz,
  client_id  uuid references remote_clients on delete set null
);

-- The client that a signed-in caller is; null for people and for the service.
create function semo.calling_client()
returns uuid language sql stable security definer set search_path = public, pg_temp as $$
  select c.id from remote_clients c where c.user_id = auth.uid() and c.revoked_at is null
$$;

create function semo.client_serves(p_office uuid)
returns boolean language sql stable security definer set search_path = public, pg_temp as $$
  select exists (select 1 from client_offices o where o.office_id = p_office and o.client_id = semo.calling_client())
$$;

create function semo.is_online(p_client remote_clients)
returns boolean language sql stable as $$
  select p_client.revoked_at is null and p_client.signed_off_at is null and coalesce(p_client.last_seen_at > now() - interval '30 seconds', false)
$$;

-- The client row for one of its own writes: refused when the caller is somebody else, revoked, or an older process.
-- The row stays shared until the write is over, so that register_client, which takes it alone, comes before it or after it.
create function semo.own_client(p_client uuid, p_epoch bigint)
returns remote_clients language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_client remote_clients;
begin
  select * into v_client from remote_clients where id = p_client for key share;
  -- The user of a revoked client is deleted: its last tokens are nobody's, and are told why.
  if v_client.revoked_at is not null and (v_client.user_id is null or v_client.user_id = auth.uid() or auth.role() = 'service_role') then
    perform semo.refuse('SO008', format('client %s was revoked on %s', p_client, to_char(v_client.revoked_at at time zone 'utc', 'YYYY-MM-DD HH24:MI "UTC"')),
                        'ask an admin of the office for a new code, then: semo client join CODE');
  end if;
  if v_client.id is null or (auth.role() in ('authenticated', 'anon') and v_client.user_id is distinct from auth.uid()) then
    perform semo.refuse('SO005', format('client %s is not yours', p_client), 'sign in as the user that this client enrolled with');
  end if;
  if p_epoch is distinct from v_client.epoch then
    perform semo.refuse('SO001', format('client %s is at epoch %s, the caller at %s: another process of it has started since', p_client, v_client.epoch, p_epoch),
                        'stop this process; the newer one goes on');
  end if;
  return v_client;
end $$;

-- Whether a machine has said that it has no repository for an office, or that it is not where its policy says.
create function semo.lacks_repository(p_serves client_offices)
returns boolean language sql immutable as $$
  select p_serves.repository_told and (p_serves.repository is null or p_serves.repository ? 'missing')
$$;

-- Warm roles are dealt out over the clients of an office that are online and have its repository, the one that asks among them.
-- One that signs off gives its part to the others with their next heartbeat; one that vanishes, 30 seconds later.
create function semo.dealt_roles(p_client uuid, p_office uuid)
returns jsonb language sql stable security definer set search_path = public, pg_temp as $$
  with online as (
    select c.id, row_number() over (order by c.created_at, c.id) - 1 as place, count(*) over () as total
    from client_offices co join remote_clients c on c.id = co.client_id
    where co.office_id = p_office and (semo.is_online(c) or c.id = p_client) and c.capacity > 0 and coalesce(c.draining_since, c.paused_since) is null
      and not semo.lacks_repository(co))
  select coalesce(jsonb_agg(w.role order by w.n), '[]')
  from offices o cross join unnest(o.warm_roles) with ordinality as w(role, n)
  join online on online.id = p_client and (w.n - 1) % online.total = online.place
  where o.id = p_office
$$;

-- What an office wants of one of its clients.
create function semo.office_terms(p_client uuid)
returns jsonb language sql stable security definer set search_path = public, pg_temp as $$
  select coalesce(jsonb_agg(jsonb_build_object(
           'office_id', o.id, 'name', o.name, 'session_limit', o.session_limit, 'idle_seconds', o.idle_seconds, 'patterns', o.patterns,
           'warm_roles', semo.dealt_roles(p_client, o.id)) order by o.name), '[]')
  from client_offices mine join offices o on o.id = mine.office_id where mine.client_id = p_client
$$;

create function check_enrollment(p_code_hash text)
returns uuid language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_office uuid;
begin
  select office_id into v_office from enrollments where code_hash = p_code_hash and used_at is null and expires_at > now();
  if v_office is null then
    perform semo.refuse('SO006', 'this enrolment code is wrong, already used, or older than its time', 'ask an admin of the office for a new one');
  end if;
  return v_office;
end $$;

-- Spends the code and lets the client in; both or neither. A client that is in another office already keeps its user and its name.
create function redeem_enrollment(p_code_hash text, p_client uuid, p_user uuid, p_name text)
returns uuid language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_office uuid;
begin
  update enrollments set used_at = now()
  where code_hash = p_code_hash and used_at is null and expires_at > now()
  returning office_id into v_office;
  if v_office is null then
    perform semo.refuse('SO006', 'this enrolment code is wrong, already used, or older than its time', 'ask an admin of the office for a new one');
  end if;
  insert into remote_clients (id, user_id, name) values (p_client, p_user, p_name) on conflict (id) do nothing;
  if not exists (select 1 from remote_clients where id = p_client and user_id is not distinct from p_user and revoked_at is null) then
    perform semo.refuse('SO005', format('client %s is somebody else''s, or was revoked', p_client), 'join as a new machine, with a state folder of its own');
  end if;
  insert into client_offices (client_id, office_id) values (p_client, v_office) on conflict do nothing;
  update enrollments set client_id = p_client where code_hash = p_code_hash;
  return v_office;
end $$;

-- Shuts a client out of every office, for good: at once here, and at Realtime when its token ends (see client_access_token).
-- Draws: what semo.cut_off draws. Its Auth user is the office server's to delete.
create function revoke_client(p_client uuid)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
begin
  -- Alone: a write of the client comes before it or after it, as with register_client.
  perform 1 from remote_clients where id = p_client for update;
  if not found then
    perform semo.refuse('SO003', format('there is no client %s', p_client));
  end if;
  update remote_clients set revoked_at = coalesce(revoked_at, now()), holding_back = null where id = p_client;
  perform semo.cut_off(p_client);
end $$;

-- Shuts a client out of one office; one that serves no other is revoked. Returns whether it was.
create function remove_client(p_client uuid, p_office uuid)
returns boolean language plpgsql security definer set search_path = public, pg_temp as $$
begin
  perform 1 from remote_clients where id = p_client for update;
  if not exists (select 1 from client_offices where client_id = p_client and office_id = p_office) then
    perform semo.refuse('SO003', format('there is no client %s in office %s', p_client, p_office));
  end if;
  if not exists (select 1 from client_offices where client_id = p_client and office_id <> p_office) then
    perform revoke_client(p_client);
    return true;
  end if;
  delete from client_offices where client_id = p_client and office_id = p_office;
  perform semo.cut_off(p_client, p_office);
  return false;
end $$;

-- From here on the client gets no new sessions and nothing that needs one; or, with false, it does again.
create function drain_client(p_client uuid, p_draining boolean)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
begin
  update remote_clients set draining_since = case when p_draining then coalesce(draining_since, now()) end where id = p_client;
  if not found then
    perform semo.refuse('SO003', format('there is no client %s', p_client));
  end if;
  perform semo.tell_of_client(p_client, case when p_draining then 'draining' else 'drained_no_more' end);
end $$;

alter table remote_clients enable row level security;
alter table client_offices enable row level security;
alter table enrollments    enable row level security;

revoke all on remote_clients, client_offices, enrollments from anon, authenticated, service_role;
grant select on remote_clients, client_offices to authenticated;
grant select, insert on client_offices to service_role;
grant select, insert on enrollments to service_role;
grant select, delete on remote_clients to service_role;
grant insert (id, user_id, name, capacity), update (name, capacity) on remote_clients to service_role;

create policy "members see the machines of their office" on remote_clients
  for select to authenticated using (
    user_id = auth.uid()
    or exists (select 1 from client_offices o where o.client_id = id and semo.has_role(o.office_id, 'viewer')));
create policy "members and the machine itself see where it serves" on client_offices
  for select to authenticated using (client_id = semo.calling_client() or semo.has_role(office_id, 'viewer'));
create policy "a client sees the offices it serves" on offices
  for select to authenticated using (semo.client_serves(id));
create policy "a client sees the personas of its offices" on agent_personas
  for select to authenticated using (semo.client_serves(office_id));

revoke execute on function check_enrollment, redeem_enrollment, revoke_client, remove_client, drain_client from public, anon, authenticated;
grant execute on function check_enrollment, redeem_enrollment, revoke_client, remove_client, drain_client to service_role;
