-- Hints over Realtime. They carry ids only and may be lost: whoever gets one looks at the tables.

-- Topics: office:{office_id}:commands wakes clients; office:{office_id}:events tells servers and people that something moved.
create function semo.hint(p_office uuid, p_channel text, p_event text, p_ids jsonb)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
begin
  perform realtime.send(jsonb_strip_nulls(p_ids), p_event, 'office:' || p_office || ':' || p_channel, true);
end $$;

-- One hint for what a statement did in an office, however many rows that are: of one command its ids, of some their ids, of many only
-- that there are some. Realtime closes the channels of an office that sends a message for each of a thousand rows.
create function semo.hint_of_offered_commands(p_commands agent_commands[])
returns void language plpgsql security definer set search_path = public, pg_temp as $$
begin
  perform semo.hint(c.office_id, 'commands', 'command', case
    when count(*) = 1 then jsonb_build_object('command_id', min(c.id::text), 'session_id', min(c.session_id::text),
                                              'client_id', min(c.client_id::text), 'attempt', min(c.attempt))
    when count(*) <= 50 then jsonb_build_object('command_ids', jsonb_agg(c.id order by c.seq))
    else '{}' end)
  from unnest(p_commands) c group by c.office_id;
end $$;

create function semo.hint_of_new_commands() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
  perform semo.hint_of_offered_commands((select array_agg(i::agent_commands) from inserted i));
  return null;
end $$;
create trigger hint_of_new_commands after insert on agent_commands referencing new table as inserted
  for each statement execute function semo.hint_of_new_commands();

create function semo.hint_of_moved_commands() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_offered agent_commands[] := (
    select array_agg(a::agent_commands) from after a join before b on b.id = a.id where a.status = 'pending' and b.status = 'processing');
begin
  if v_offered is not null then
    perform semo.hint_of_offered_commands(v_offered);
  end if;
  perform semo.hint(a.office_id, 'events', 'command', case
    when count(*) = 1 then jsonb_build_object('command_id', min(a.id::text), 'session_id', min(a.session_id::text),
                                              'attempt', min(a.attempt), 'status', min(a.status))
    else '{}' end)
  from after a join before b on b.id = a.id where a.status <> b.status and a.status <> 'pending' group by a.office_id;
  return null;
end $$;
create trigger hint_of_moved_commands after update on agent_commands referencing old table as before new table as after
  for each statement execute function semo.hint_of_moved_commands();

create function semo.hint_of_session() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
  perform semo.hint(new.office_id, 'events', 'session', jsonb_build_object('session_id', new.id, 'status', new.status));
  return null;
end $$;
create trigger hint_of_new_session after insert on agent_sessions
  for each row execute function semo.hint_of_session();
create trigger hint_of_moved_session after update of status on agent_sessions
  for each row when (new.status is distinct from old.status) execute function semo.hint_of_session();

-- Who may listen: clients to the commands of their offices, members to both. Nobody sends: only the database does.
create function semo.may_listen(p_topic text)
returns boolean language plpgsql stable security definer set search_path = public, pg_temp as $$
declare
  v_parts text[] := regexp_match(p_topic, '^office:([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}):(commands|events)$');
begin
  return v_parts is not null and (
    semo.has_role(v_parts[1]::uuid, 'viewer') or (v_parts[2] = 'commands' and semo.client_serves(v_parts[1]::uuid)));
end $$;
create policy "members and clients listen to their offices" on realtime.messages
  for select to authenticated using (semo.may_listen(realtime.topic()));

-- The second path: Postgres Changes on the same rows.
do $$
begin
  if not exists (select 1 from pg_publication where pubname = 'supabase_realtime') then
    create publication supabase_realtime;
  end if;
end $$;
alter publication supabase_realtime add table agent_commands, agent_command_results;
