-- Why things wait: one account of an office's pools for people, the API and the command line.

-- What keeps a client from a command at present, as a stable word; null when nothing does.
create function semo.hindrance(p_client remote_clients, p_command agent_commands)
returns text language plpgsql stable set search_path = public, pg_temp as $$
begin
  if not semo.is_online(p_client) then return 'offline'; end if;
  if semo.pause_before(p_client, p_command) is not null then return 'agent_' || semo.pause_before(p_client, p_command); end if;
  if not semo.needs_place(p_command.command_type, p_command.session_id) then return null; end if;
  if not semo.is_capable(p_client, p_command.payload) then return 'not_capable'; end if;
  if semo.leaves_to_others(p_client.id, p_command.office_id) then return 'no_repository'; end if;
  if p_client.draining_since is not null then return 'draining'; end if;
  if p_client.paused_since is not null then return 'paused'; end if;
  if semo.places_taken(p_client.id) >= p_client.capacity then return 'busy'; end if;
  return semo.no_session_because(p_client, p_command.office_id, p_command.payload);
end $$;

-- {"reason","clients":[{"name","online","last_seen_at","reason"}]}; null when nothing holds the command back. The reason of the whole is
-- that of the client which is nearest to taking it.
create function semo.waiting_reason(p_command agent_commands)
returns jsonb language plpgsql stable security definer set search_path = public, pg_temp as $$
declare
  v_clients jsonb;
  v_reason text;
begin
  if p_command.status <> 'pending' then
    return null;
  end if;
  with candidates as (
    select c.name, c.last_seen_at, semo.is_online(c) as online, semo.hindrance(c, p_command) as reason, o.repository
    from client_offices o join remote_clients c on c.id = o.client_id
    where o.office_id = p_command.office_id and c.revoked_at is null and (p_command.client_id is null or c.id = p_command.client_id))
  select jsonb_agg(jsonb_build_object('name', name, 'online', online, 'last_seen_at', last_seen_at, 'reason', reason,
           'repository', case when reason = 'no_repository' then repository end) order by name),
         case when count(*) = 0 then 'no_client'
              when bool_or(reason is null) then null
              when bool_or(reason = 'busy') then 'all_clients_busy'
              when bool_or(reason = 'circuit_open') then 'circuit_open'
              when bool_or(reason not in ('offline', 'not_capable', 'no_repository'))
                then max(reason) filter (where reason not in ('offline', 'not_capable', 'no_repository'))
              when bool_or(reason = 'no_repository') then 'no_repository'
              when bool_or(reason = 'not_capable') then 'no_client_capable'
              else 'no_client_online' end
  into v_clients, v_reason from candidates;

  if p_command.deadline <= now() then
    v_reason := 'deadline_passed';
  elsif p_command.not_before > now() then
    v_reason := 'not_before';
  elsif v_reason is null and semo.needs_place(p_command.command_type, p_command.session_id)
        and semo.places_taken_in_office(p_command.office_id) >= (select session_limit from offices where id = p_command.office_id) then
    v_reason := 'office_full';
  elsif v_reason is null and p_command.session_id is not null and exists (
      select 1 from agent_commands e where e.session_id = p_command.session_id
        and (e.status = 'processing' or (e.status = 'pending' and e.seq < p_command.seq)) and semo.lane(e.command_type) = semo.lane(p_command.command_type)) then
    v_reason := 'behind_another_command';
  end if;
  return case when v_reason is not null then jsonb_build_object('reason', v_reason, 'clients', coalesce(v_clients, '[]')) end;
end $$;

-- Why a pending command has not been taken.
create function command_waiting_reason(p_command uuid)
returns jsonb language plpgsql stable security definer set search_path = public, pg_temp as $$
declare
  v_command agent_commands;
begin
  select * into v_command from agent_commands where id = p_command;
  if v_command.id is null or (auth.role() = 'authenticated' and not semo.has_role(v_command.office_id, 'viewer')) then
    perform semo.refuse('SO003', format('there is no command %s', p_command));
  end if;
  return semo.waiting_reason(v_command);
end $$;

-- Who holds what, what is free, and why what waits does: limits and use, clients, sessions that live, open circuits, and the first
-- p_pending of the commands that wait, in the order in which they are taken.
create function pool_state(p_office uuid, p_pending integer default 100)
returns jsonb language plpgsql stable security definer set search_path = public, pg_temp as $$
declare
  v_office offices;
begin
  select * into v_office from offices where id = p_office;
  if v_office.id is null or (auth.role() = 'authenticated' and not semo.has_role(p_office, 'viewer')) then
    perform semo.refuse('SO003', format('there is no office %s', p_office));
  end if;
  return jsonb_build_object(
    'office_id', v_office.id, 'at', now(), 'session_limit', v_office.session_limit, 'places_taken', semo.places_taken_in_office(p_office),
    'idle_seconds', v_office.idle_seconds, 'warm_roles', v_office.warm_roles,
    'clients', (
      select coalesce(jsonb_agg(jsonb_build_object(
               'client_id', c.id, 'name', c.name, 'online', semo.is_online(c), 'last_seen_at', c.last_seen_at, 'capacity', c.capacity,
               'connection', case when semo.is_online(c) then coalesce(c.connection, 'polling') else 'offline' end,
               'places_taken', semo.places_taken(c.id), 'agents', coalesce(c.capabilities -> 'agents', '{}'),
               'warm_roles', case when semo.is_online(c) then semo.dealt_roles(c.id, p_office) else '[]' end,
               'draining_since', c.draining_since, 'paused_since', c.paused_since, 'holding_back', case when semo.is_online(c) then c.holding_back end) order by c.name, c.id), '[]')
      from client_offices o join remote_clients c on c.id = o.client_id where o.office_id = p_office and c.revoked_at is null),
    'sessions', (
      select coalesce(jsonb_agg(jsonb_build_object(
               'session_id', s.id, 'client_id', s.client_id, 'role', s.role, 'agent', s.agent, 'pool', s.pool, 'status', s.status, 'task', s.task,
               'acquired_by', s.acquired_by, 'held_since', case when s.acquired_by is not null then s.held_since end,
               'idle_since', case when s.acquired_by is null then s.held_since end, 'created_at', s.created_at) order by s.created_at, s.id), '[]')
      from agent_sessions s where s.office_id = p_office and s.ended_at is null),
    'circuits', (
      select coalesce(jsonb_agg(jsonb_build_object(
               'client_id', k.client_id, 'role', k.role, 'failures', k.failures, 'error_code', k.error_code, 'error', k.error,
               'opened_at', k.opened_at, 'open_until', k.open_until) order by k.role, k.client_id), '[]')
      from role_circuits k where k.office_id = p_office),
    'pending', (
      select coalesce(jsonb_agg(jsonb_build_object(
               'command_id', p.id, 'command_type', p.command_type, 'session_id', p.session_id, 'role', p.payload ->> 'role', 'priority', p.priority,
               'attempt', p.attempt, 'max_attempts', p.max_attempts, 'created_at', p.created_at, 'not_before', p.not_before, 'deadline', p.deadline,
               'waiting', semo.waiting_reason(p)) order by semo.lane(p.command_type), p.priority desc, p.seq), '[]')
      from (select * from agent_commands c where c.office_id = p_office and c.status = 'pending'
            order by semo.lane(c.command_type), c.priority desc, c.seq limit p_pending) p),
    'pending_total', (select count(*) from agent_commands c where c.office_id = p_office and c.status = 'pending'));
end $$;

revoke execute on function command_waiting_reason, pool_state from public, anon;
grant execute on function command_waiting_reason, pool_state to authenticated, service_role;
