-- From a wish to a row: inserting a command, withdrawing it, letting it expire, and why it waits.

-- Draws: (insert) → pending. Runs with the rights of whoever inserts, so that one sees only one's own offices.
create function semo.prepare_command() returns trigger language plpgsql set search_path = public, pg_temp as $$
declare
  v_problem text;
  v_persona agent_personas;
  v_session agent_sessions;
begin
  new.payload := coalesce(new.payload, '{}');
  v_problem := semo.payload_problem(new.command_type, new.payload, new.session_id);
  if v_problem is not null then
    perform semo.refuse('SO004', v_problem, 'the table semo.payload_fields lists what each type takes');
  end if;
  new.payload := jsonb_strip_nulls(new.payload);

  if not exists (select 1 from offices where id = new.office_id) then
    perform semo.refuse('SO003', format('there is no office %s', new.office_id));
  end if;

  if new.payload ? 'role' then
    v_persona := semo.persona_of(new.office_id, new.payload ->> 'role');
    if v_persona.id is null then
      perform semo.refuse('SO004', format('%s: unknown role "%s"', new.command_type, new.payload ->> 'role'), (
        select 'this office has ' || string_agg(distinct role, ', ') from agent_personas
        where office_id = new.office_id or office_id is null));
    end if;
    new.payload := jsonb_set(new.payload, '{role}', to_jsonb(v_persona.role));
  end if;

  if new.session_id is not null then
    select * into v_session from agent_sessions where id = new.session_id;
    if v_session.id is null or v_session.office_id <> new.office_id then
      perform semo.refuse('SO003', format('there is no session %s in office %s', new.session_id, new.office_id));
    elsif v_session.ended_at is not null and new.command_type <> 'terminate' then
      perform semo.refuse('SO007', format('session %s ended at %s (%s)', v_session.id, v_session.ended_at, v_session.end_reason),
                          'create another one; its output and its branch are kept');
    end if;
    new.client_id := v_session.client_id;
  elsif new.client_id is not null and not exists (
      select 1 from client_offices where client_id = new.client_id and office_id = new.office_id) then
    perform semo.refuse('SO003', format('there is no client %s in office %s', new.client_id, new.office_id));
  end if;

  if new.author is null then
    new.author := case when auth.role() = 'authenticated' then 'user:' || auth.uid() else coalesce(auth.role(), 'sql:' || session_user) end;
  end if;
  new.status := 'pending';
  new.attempt := 1;
  new.created_at := now();
  new.claimed_by := null;  new.claim_epoch := null;   new.lease_until := null;  new.claimed_at := null;
  new.typed_at := null;    new.confirmed_at := null;  new.finished_at := null;
  return new;
end $$;
create trigger prepare_command before insert on agent_commands
  for each row execute function semo.prepare_command();

-- Draws: pending → cancelled.
create function cancel_command(p_command uuid)
returns command_status language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_command agent_commands;
begin
  select * into v_command from agent_commands where id = p_command for update;
  if v_command.id is null or (auth.role() = 'authenticated' and not semo.has_role(v_command.office_id, 'operator')) then
    perform semo.refuse('SO003', format('there is no command %s', p_command));
  elsif v_command.status = 'cancelled' then
    return v_command.status;
  elsif v_command.status <> 'pending' then
    perform semo.refuse('SO002', format('command %s is %s and can no longer be withdrawn', p_command, v_command.status),
                        'to stop what runs, send "cancel" to its session');
  end if;
  update agent_commands set status = 'cancelled', finished_at = now() where id = p_command;
  return 'cancelled';
end $$;

-- Draws: pending → expired.
create function expire_commands()
returns integer language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_count integer;
begin
  update agent_commands set status = 'expired', finished_at = now()
  where id in (select id from agent_commands where status = 'pending' and deadline <= now() for update skip locked);
  get diagnostics v_count = row_count;
  return v_count;
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

-- Why a pending command has not been taken, as a stable word and the clients it is about; null when nothing holds it back.
create function command_waiting_reason(p_command uuid)
returns jsonb language plpgsql stable security definer set search_path = public, pg_temp as $$
declare
  v_command agent_commands;
  v_clients jsonb;
  v_reason text;
begin
  select * into v_command from agent_commands where id = p_command;
  if v_command.id is null or (auth.role() = 'authenticated' and not semo.has_role(v_command.office_id, 'viewer')) then
    perform semo.refuse('SO003', format('there is no command %s', p_command));
  elsif v_command.status <> 'pending' then
    return null;
  end if;

  with candidates as (
    select c as client, c.name, c.last_seen_at, semo.is_online(c) as online, semo.is_capable(c, v_command.payload) as capable,
           semo.places_taken(c.id) < c.capacity as free
    from client_offices o join remote_clients c on c.id = o.client_id
    where o.office_id = v_command.office_id and c.revoked_at is null and (v_command.client_id is null or c.id = v_command.client_id))
  select jsonb_agg(jsonb_build_object('name', name, 'online', online, 'last_seen_at', last_seen_at) order by name),
         case when count(*) = 0 then 'no_client'
              when not bool_or(online) then 'no_client_online'
              when not semo.needs_place(v_command.command_type, v_command.session_id) then null
              when not bool_or(online and capable) then 'no_client_capable'
              when not bool_or(online and capable and free) then 'all_clients_busy'
              when semo.places_taken_in_office(v_command.office_id) >= (select session_limit from offices where id = v_command.office_id)
                then 'office_full' end
  into v_clients, v_reason from candidates;
  if v_reason is null and v_command.session_id is not null and exists (
      select 1 from agent_commands e where e.session_id = v_command.session_id
        and (e.status = 'processing' or (e.status = 'pending' and e.seq < v_command.seq)) and semo.lane(e.command_type) = semo.lane(v_command.command_type)) then
    v_reason := 'behind_another_command';
  end if;
  return case when v_reason is not null then jsonb_build_object('reason', v_reason, 'clients', coalesce(v_clients, '[]')) end;
end $$;

revoke execute on function expire_commands from public, anon, authenticated;
revoke execute on function cancel_command, command_waiting_reason from public, anon;
grant execute on function expire_commands to service_role;
grant execute on function cancel_command, command_waiting_reason to authenticated, service_role;
