-- What happened in an office, told once for everybody who follows it: one row of session_events for each step, written by the very
-- transaction that took it, and one hint for each transaction.

-- Tells of something that happened: to be called by whatever SQL function does it. `kind` is "thing.what", such as "plan.started";
-- `detail` holds what a reader needs to understand it, not everything there is. Whoever follows the office gets it in the order of
-- (xact, id), and never anything that came before what he has seen. The hint wakes readers; one for each transaction is enough.
create function semo.tell(p_office uuid, p_kind text, p_detail jsonb default '{}', p_session uuid default null, p_command uuid default null)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
begin
  insert into session_events (office_id, session_id, command_id, kind, detail)
  values (p_office, p_session, p_command, p_kind, jsonb_strip_nulls(coalesce(p_detail, '{}')));
  perform semo.hint_of_news(p_office);
end $$;

-- Wakes those who follow the office, once for all that a transaction tells.
create function semo.hint_of_news(p_office uuid)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_told text := coalesce(current_setting('semo.told', true), '');
begin
  if strpos(v_told, p_office::text) = 0 then
    perform set_config('semo.told', v_told || p_office || ' ', true);
    perform semo.hint(p_office, 'events', 'news', '{}');
  end if;
end $$;

-- Commands. Kinds: command.stored, .claimed, .typed, .confirmed, .offered (again), .completed, .failed, .lost, .expired, .cancelled.
create function semo.tell_of_new_commands() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
  insert into session_events (office_id, session_id, command_id, kind, detail)
  select office_id, session_id, id, 'command.stored',
         jsonb_strip_nulls(jsonb_build_object('command_type', command_type, 'role', payload -> 'role', 'author', author))
  from inserted order by seq;
  return null;
end $$;
create trigger tell_of_new_commands after insert on agent_commands referencing new table as inserted
  for each statement execute function semo.tell_of_new_commands();

create function semo.tell_of_moved_commands() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
  insert into session_events (office_id, session_id, command_id, kind, detail)
  select a.office_id, coalesce(a.session_id, b.session_id), a.id, 'command.' || s.step,
         jsonb_strip_nulls(jsonb_build_object('command_type', a.command_type, 'attempt', a.attempt) || s.detail)
  from after a join before b on b.id = a.id cross join lateral (
    select 1 as n, 'typed' as step, jsonb_build_object('typed_at', a.typed_at) as detail where a.typed_at is not null and b.typed_at is null
    union all
    select 2, 'confirmed', jsonb_build_object('confirmed_at', a.confirmed_at) where a.confirmed_at is not null and b.confirmed_at is null
    union all
    select 3, case a.status when 'processing' then 'claimed' when 'pending' then 'offered' else a.status::text end, case
      when a.status = 'processing' then jsonb_build_object('client_id', a.claimed_by)
      else jsonb_build_object('client_id', b.claimed_by, 'not_before', case when a.status = 'pending' then a.not_before end, 'error_code', (
        select r.error_code from agent_command_results r where r.command_id = a.id and r.attempt = b.attempt)) end
    where a.status <> b.status) s
  order by a.seq, s.n;
  return null;
end $$;
create trigger tell_of_moved_commands after update on agent_commands referencing old table as before new table as after
  for each statement execute function semo.tell_of_moved_commands();

-- Sessions and their turns. Kinds: session.STATUS, turn.started, turn.ended. The session's own hint wakes the readers.
create function semo.tell_of_session() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
  insert into session_events (office_id, session_id, command_id, kind, detail)
  values (new.office_id, new.id, new.acquired_by, 'session.' || new.status, jsonb_strip_nulls(jsonb_build_object(
    'client_id', new.client_id, 'role', new.role, 'agent', new.agent, 'end_reason', new.end_reason)));
  return null;
end $$;
create trigger tell_of_new_session after insert on agent_sessions
  for each row execute function semo.tell_of_session();
create trigger tell_of_moved_session after update of status on agent_sessions
  for each row when (new.status is distinct from old.status) execute function semo.tell_of_session();

create function semo.tell_of_turn() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
  insert into session_events (office_id, session_id, command_id, kind, detail)
  select s.office_id, s.id, new.command_id, case when new.ended_at is null then 'turn.started' else 'turn.ended' end,
         jsonb_strip_nulls(jsonb_build_object('turn_id', new.id, 'attempt', new.attempt, 'outcome', new.outcome, 'marker', new.marker,
                                              'output_start', new.output_start, 'output_end', new.output_end,
                                              'cost_usd', new.cost_usd, 'duration_s', new.duration_s))
  from agent_sessions s where s.id = new.session_id;
  return null;
end $$;
create trigger tell_of_new_turn after insert on session_turns
  for each row execute function semo.tell_of_turn();
create trigger tell_of_ended_turn after update of ended_at on session_turns
  for each row when (old.ended_at is null and new.ended_at is not null) execute function semo.tell_of_turn();

-- Machines. Kinds: client.joined, .left, .registered, .live, .polling, .offline (it vanished), .online (it is back), .signed_off, .draining,
-- .drained_no_more, .paused, .paused_no_more, .revoked.
create function semo.tell_of_client(p_client uuid, p_what text, p_detail jsonb default '{}')
returns void language plpgsql security definer set search_path = public, pg_temp as $$
begin
  perform semo.tell(o.office_id, 'client.' || p_what, jsonb_build_object('client_id', c.id, 'name', c.name) || p_detail)
  from remote_clients c join client_offices o on o.client_id = c.id where c.id = p_client order by o.office_id;
end $$;

create function semo.tell_of_moved_client() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
  if new.revoked_at is not null and old.revoked_at is null then
    perform semo.tell_of_client(new.id, 'revoked');
  elsif new.epoch <> old.epoch then
    perform semo.tell_of_client(new.id, 'registered', jsonb_build_object('epoch', new.epoch, 'version', new.version));
  elsif new.signed_off_at is not null and old.signed_off_at is null then
    perform semo.tell_of_client(new.id, 'signed_off');
  elsif new.missed_since is distinct from old.missed_since then
    perform semo.tell_of_client(new.id, case when new.missed_since is null then 'online' else 'offline' end, jsonb_build_object('since', new.missed_since));
  end if;
  if new.connection is distinct from old.connection then
    perform semo.tell_of_client(new.id, new.connection::text);
  end if;
  return null;
end $$;
create trigger tell_of_moved_client after update of epoch, signed_off_at, revoked_at, missed_since, connection on remote_clients
  for each row when ((new.epoch, new.signed_off_at, new.revoked_at, new.missed_since, new.connection)
                     is distinct from (old.epoch, old.signed_off_at, old.revoked_at, old.missed_since, old.connection))
  execute function semo.tell_of_moved_client();

create function semo.tell_of_membership() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
  if exists (select 1 from offices where id = coalesce(new.office_id, old.office_id)) then
    perform semo.tell(coalesce(new.office_id, old.office_id), case when tg_op = 'INSERT' then 'client.joined' else 'client.left' end,
      jsonb_build_object('client_id', coalesce(new.client_id, old.client_id), 'name', (
        select name from remote_clients where id = coalesce(new.client_id, old.client_id))));
  end if;
  return null;
end $$;
create trigger tell_of_membership after insert or delete on client_offices
  for each row execute function semo.tell_of_membership();

-- Says of clients that have vanished that they are offline, once for each time. Returns how many.
create function miss_clients()
returns integer language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_count integer;
begin
  update remote_clients c set missed_since = c.last_seen_at
  where c.missed_since is null and c.last_seen_at is not null and c.signed_off_at is null and c.revoked_at is null and not semo.is_online(c);
  get diagnostics v_count = row_count;
  return v_count;
end $$;

-- Circuits. Kinds: circuit.opened, circuit.closed.
create function semo.tell_of_circuit() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
  if tg_op = 'DELETE' then
    if exists (select 1 from offices where id = old.office_id) then
      perform semo.tell(old.office_id, 'circuit.closed', jsonb_build_object('client_id', old.client_id, 'role', old.role));
    end if;
  else
    perform semo.tell(new.office_id, 'circuit.opened', jsonb_build_object(
      'client_id', new.client_id, 'role', new.role, 'failures', new.failures, 'error_code', new.error_code, 'error', new.error,
      'open_until', new.open_until));
  end if;
  return null;
end $$;
create trigger tell_of_circuit after insert or update or delete on role_circuits
  for each row execute function semo.tell_of_circuit();

-- The first events of an office after a place, for whoever has read everything up to there: {"events":[…],"next":"XACT-ID","held_back"}.
-- Rows become visible in another order than that of their ids. So what is given is only what is older than every transaction that still
-- runs: nothing can appear before it any more. `held_back`: there is more, behind a transaction that has not ended yet.
-- p_after: as `next` was, or null to begin with what is told from now on; '0-0' begins at the first that is kept.
-- p_kinds: whole kinds, or their first part ("command").
create function read_events(p_office uuid, p_after text default null, p_kinds text[] default null, p_limit integer default 200)
returns jsonb language plpgsql stable security definer set search_path = public, pg_temp as $$
declare
  v_horizon xid8 := pg_snapshot_xmin(pg_current_snapshot());
  v_after text[];
  v_xact xid8;
  v_id bigint;
  v_events jsonb;
  v_count integer;
begin
  if auth.role() = 'authenticated' and not semo.has_role(p_office, 'viewer') then
    perform semo.refuse('SO003', format('there is no office %s', p_office));
  end if;
  if p_after is null then
    return jsonb_build_object('events', '[]'::jsonb, 'next', v_horizon || '-0', 'held_back', false);
  end if;
  v_after := regexp_match(p_after, '^([0-9]{1,19})-([0-9]{1,18})$');
  if v_after is null then
    perform semo.refuse('SO004', 'an event''s id is two numbers with a dash between them', 'give the id of the last event that you have');
  end if;
  v_xact := v_after[1]::xid8;
  v_id := v_after[2]::bigint;
  select jsonb_agg(jsonb_build_object('id', e.xact || '-' || e.id, 'kind', e.kind, 'at', e.at, 'office_id', e.office_id,
                                      'session_id', e.session_id, 'command_id', e.command_id, 'detail', e.detail) order by e.xact, e.id),
         count(*), max(e.xact::text || '-' || e.id) filter (where e.n = 1)
  into v_events, v_count, p_after
  from (
    select s.*, row_number() over (order by s.xact desc, s.id desc) as n from (
      select * from session_events
      where office_id = p_office and (xact, id) > (v_xact, v_id) and xact < v_horizon
        and (p_kinds is null or kind = any (p_kinds) or split_part(kind, '.', 1) = any (p_kinds))
      order by xact, id limit p_limit) s) e;
  return jsonb_build_object(
    'events', coalesce(v_events, '[]'),
    -- Nothing more: the next look begins where this one's sight ended, so that what other kinds told is not read again.
    'next', case when v_count = p_limit then p_after else greatest(v_horizon, v_xact) || '-' || case when v_xact >= v_horizon then v_id else 0 end end,
    'held_back', v_count < p_limit and exists (
      select 1 from session_events where office_id = p_office and xact >= v_horizon and (xact, id) > (v_xact, v_id)));
end $$;

-- Removes events that are older than each office keeps them, and takes those home that came with a copy of another database, where
-- transactions had other numbers. Returns how many went.
create function prune_events()
returns bigint language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_count bigint;
begin
  delete from session_events e using offices o
  where o.id = e.office_id and e.at < now() - make_interval(days => o.events_keep_days);
  get diagnostics v_count = row_count;
  update session_events set xact = '3' where xact > pg_snapshot_xmax(pg_current_snapshot());
  return v_count;
end $$;

revoke execute on function miss_clients, prune_events from public, anon, authenticated;
grant execute on function miss_clients, prune_events to service_role;
revoke execute on function read_events from public, anon;
grant execute on function read_events to authenticated, service_role;
revoke execute on all functions in schema semo from public;
