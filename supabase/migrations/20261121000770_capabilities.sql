-- What a client can do, when that changes while it runs: its machine's policy is another one.

create function report_capabilities(p_client uuid, p_epoch bigint, p_capabilities jsonb, p_capacity integer)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
begin
  perform semo.own_client(p_client, p_epoch);
  update remote_clients set capabilities = p_capabilities, capacity = p_capacity where id = p_client;
end $$;

revoke execute on function report_capabilities from public, anon;
grant execute on function report_capabilities to authenticated, service_role;
