-- How long a machine's token lives: the one thing of a revoked client that no table decides.

-- A custom access token hook of Supabase Auth, to be switched on in the project (docs/supabase.md): tokens of machines end a minute
-- after they were made, others as the project has it. Realtime looks at the policies when a channel is joined and when it gets a
-- new token, and ends the channel with its token: so one that is open when its client is revoked is closed within a minute.
-- Also refuses tokens to a revoked client whose user is still there. Called by Supabase Auth alone.
create function client_access_token(event jsonb)
returns jsonb language plpgsql stable security definer set search_path = public, pg_temp as $$
declare
  v_client text := event #>> '{claims,app_metadata,client_id}';
  v_seconds constant integer := 60;
begin
  if v_client is null then
    return event;
  end if;
  if not exists (select 1 from remote_clients c where c.user_id = (event ->> 'user_id')::uuid and c.revoked_at is null) then
    if exists (select 1 from remote_clients c where c.id::text = v_client) then
      return jsonb_build_object('error', jsonb_build_object('http_code', 403, 'message', 'this client was revoked'));
    end if;
  end if;
  return jsonb_set(event, '{claims,exp}', to_jsonb(least((event #>> '{claims,exp}')::bigint, (event #>> '{claims,iat}')::bigint + v_seconds)));
end $$;
revoke execute on function client_access_token from public, anon, authenticated, service_role;
grant usage on schema public to supabase_auth_admin;
grant execute on function client_access_token to supabase_auth_admin;
