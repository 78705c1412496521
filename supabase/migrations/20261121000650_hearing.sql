-- Whether those who should hear the hints do hear them: an echo that proves it, and what each client says of itself.

create type connection_state as enum (
  'live',     -- hints come: something that the database sent was heard within the last while   → polling, offline
  'polling',  -- the database answers, hints do not come                                         → live, offline
  'offline'   -- neither, or the client ended; never stored, since nobody could say it: see semo.is_online → polling, live
);

alter table remote_clients
  add column connection       connection_state check (connection <> 'offline'),  -- what the client said last
  add column connection_since timestamptz;

-- Says something on a topic. Who listens and has heard nothing for a while asks for it: whoever hears it knows that hints flow.
create function echo_hint(p_topic text)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
begin
  if auth.role() = 'authenticated' and not semo.may_listen(p_topic) then
    perform semo.refuse('SO005', format('you do not listen to %s', p_topic));
  end if;
  perform realtime.send('{}', 'echo', p_topic, true);
end $$;

-- A client says how it is connected: when that changes, and as its first words after it was cut off. Draws: any → live, polling.
create function report_connection(p_client uuid, p_epoch bigint, p_state connection_state)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
begin
  perform semo.own_client(p_client, p_epoch);
  if p_state = 'offline' then
    perform semo.refuse('SO004', 'a client that can say so is not offline');
  end if;
  update remote_clients
  set connection_since = case when connection = p_state and semo.is_online(remote_clients) then connection_since else now() end,
      connection = p_state, last_seen_at = now(), missed_since = null
  where id = p_client;
end $$;

revoke execute on function echo_hint, report_connection from public, anon, authenticated;
grant execute on function echo_hint, report_connection to authenticated, service_role;
