-- From a wish to a row: inserting a command, withdrawing it, letting it expire.

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
  if new.client_id is null and new.command_type in ('publish_branch', 'follow_pull_request', 'merge_branch') then
    perform semo.refuse('SO004', format('%s: needs the client_id of the machine that has the branch', new.command_type),
                        'agent_sessions names the client and the branch of each session');
  end if;

  new.max_attempts := coalesce(new.max_attempts, 1);
  if new.max_attempts > 1 and (new.command_type <> 'send_prompt' or new.session_id is not null) then
    perform semo.refuse('SO004', format('%s: only a prompt without a session_id may be tried more than once', new.command_type),
                        'each try gets a fresh session; leave max_attempts out');
  elsif new.max_attempts not between 1 and 3 then
    perform semo.refuse('SO004', format('%s: max_attempts must be between 1 and 3', new.command_type));
  end if;

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

  -- The jobs of a plan are held back by their scheduler, and say so there.
  if new.command_type = 'send_prompt' and new.execution_id is null then
    v_problem := semo.cap_reached(new.office_id, coalesce(v_session.role, new.payload ->> 'role'), coalesce(v_session.agent, new.payload ->> 'agent'));
    if v_problem is not null then
      perform semo.refuse('SO009', v_problem, 'raise the cap, or wait for the next day if it is one for a day');
    end if;
  end if;

  if new.author is null then
    new.author := case when auth.role() = 'authenticated' then 'user:' || auth.uid() else coalesce(auth.role(), 'sql:' || session_user) end;
  end if;
  new.status := 'pending';
  new.attempt := 1;
  new.not_before := null;
  new.created_at := now();
  new.offered_at := now();
  new.claimed_by := null;  new.claim_epoch := null;   new.lease_until := null;  new.claimed_at := null;
  new.typed_at := null;    new.confirmed_at := null;  new.finished_at := null;  new.reported_at := null;
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
  perform semo.audit(v_command.office_id, 'command.withdrawn', p_command::text);
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

revoke execute on function expire_commands from public, anon, authenticated;
revoke execute on function cancel_command from public, anon;
grant execute on function expire_commands to service_role;
grant execute on function cancel_command to authenticated, service_role;
