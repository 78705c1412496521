-- The people of an office, as its admins see them. Who they are is in Supabase Auth; what they may do is in office_members.

-- [{"user_id","email","role","created_at","last_sign_in_at"}], by address.
create function list_members(p_office uuid)
returns jsonb language sql stable security definer set search_path = public, pg_temp as $$
  select coalesce(jsonb_agg(jsonb_build_object('user_id', m.user_id, 'email', u.email, 'role', m.role, 'created_at', m.created_at,
           'last_sign_in_at', u.last_sign_in_at) order by u.email, m.user_id), '[]')
  from office_members m join auth.users u on u.id = m.user_id where m.office_id = p_office
$$;

-- The person of an address, whatever its case; null when Supabase Auth has none. The users of machines are not people.
create function find_person(p_email text)
returns uuid language sql stable security definer set search_path = public, pg_temp as $$
  select u.id from auth.users u
  where lower(u.email) = lower(p_email) and not exists (select 1 from remote_clients c where c.user_id = u.id)
  order by u.created_at limit 1
$$;

-- Lets a person in, or gives one another role.
create function set_member(p_office uuid, p_user uuid, p_role member_role)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
begin
  if not exists (select 1 from auth.users where id = p_user) or exists (select 1 from remote_clients where user_id = p_user) then
    perform semo.refuse('SO003', format('there is no person %s', p_user));
  end if;
  insert into office_members as m (office_id, user_id, role) values (p_office, p_user, p_role)
  on conflict (office_id, user_id) do update set role = excluded.role where m.role <> excluded.role;
end $$;

-- Whether the person was a member. What the person asked for goes on.
create function remove_member(p_office uuid, p_user uuid)
returns boolean language plpgsql security definer set search_path = public, pg_temp as $$
begin
  delete from office_members where office_id = p_office and user_id = p_user;
  return found;
end $$;

revoke execute on function list_members, find_person, set_member, remove_member from public, anon, authenticated;
grant execute on function list_members, find_person, set_member, remove_member to service_role;
