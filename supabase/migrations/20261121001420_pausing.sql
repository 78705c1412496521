-- What the user of a machine decides there: that it takes no new work for a while.

-- From here on the client gets no new sessions and nothing that needs one, as when an admin drains it; or, with false, it does again.
-- What an admin decided stays as it is.
create function pause_client(p_client uuid, p_epoch bigint, p_paused boolean)
returns timestamptz language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_client remote_clients := semo.own_client(p_client, p_epoch);
begin
  if p_paused = (v_client.paused_since is not null) then
    return v_client.paused_since;
  end if;
  update remote_clients set paused_since = case when p_paused then now() end where id = p_client returning * into v_client;
  perform semo.tell_of_client(p_client, case when p_paused then 'paused' else 'paused_no_more' end);
  return v_client.paused_since;
end $$;

revoke execute on function pause_client from public, anon, authenticated;
grant execute on function pause_client to authenticated, service_role;
