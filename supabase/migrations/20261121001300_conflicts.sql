-- Conflicts to come: pairs of live branches that would conflict, were they merged now. The machine that has them looks, and tells.

-- What each machine looks at for an office. `problem`: in words, why it cannot.
create table conflict_forecasts (
  client_id uuid not null references remote_clients on delete cascade,
  office_id uuid not null references offices on delete cascade,
  branches  jsonb not null default '[]',        -- [{"branch","session_id","uncommitted"}]: those with work of their own
  problem   text,
  told_at   timestamptz not null default now(), -- when something of it last changed
  primary key (client_id, office_id)
);
create index conflict_forecasts_office on conflict_forecasts (office_id);

create table branch_conflicts (
  id             uuid primary key default gen_random_uuid(),
  office_id      uuid not null references offices on delete cascade,
  client_id      uuid not null references remote_clients on delete cascade,
  first_branch   text not null,
  second_branch  text not null,
  first_session  uuid references agent_sessions on delete set null,  -- that works on it; null: none does any more
  second_session uuid references agent_sessions on delete set null,
  files          jsonb not null,
  files_total    integer not null,
  uncommitted    boolean not null,              -- it is about work that is not committed yet
  since          timestamptz not null default now(),
  changed_at     timestamptz not null default now(),
  cleared_at     timestamptz,                   -- null: they would still conflict
  check (first_branch < second_branch collate "C")
);
create unique index branch_conflicts_live on branch_conflicts (client_id, office_id, first_branch, second_branch) where cleared_at is null;
create index branch_conflicts_office on branch_conflicts (office_id, since desc);

-- A machine tells all that it knows now. Draws: (no row) → live, of pairs that are new; live → cleared, of those that are not named any
-- more; a live pair whose files or sessions changed stays the same row. Each is told as an event: conflict.forecast, conflict.cleared.
-- p_pairs: [{"first_branch","first_session"?,"second_branch","second_session"?,"files","files_total","uncommitted"}].
create function report_conflicts(p_client uuid, p_epoch bigint, p_office uuid, p_branches jsonb, p_pairs jsonb, p_problem text default null)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_row branch_conflicts;
  v_before branch_conflicts;
begin
  perform semo.own_client(p_client, p_epoch);
  if not exists (select 1 from client_offices where client_id = p_client and office_id = p_office) then
    perform semo.refuse('SO005', format('client %s does not serve office %s', p_client, p_office));
  end if;
  insert into conflict_forecasts as f (client_id, office_id, branches, problem) values (p_client, p_office, p_branches, p_problem)
  on conflict (client_id, office_id) do update set branches = excluded.branches, problem = excluded.problem, told_at = now();

  for v_row in
    update branch_conflicts b set cleared_at = now()
    where b.client_id = p_client and b.office_id = p_office and b.cleared_at is null and not exists (
      select 1 from jsonb_array_elements(p_pairs) as p
      where p ->> 'first_branch' = b.first_branch and p ->> 'second_branch' = b.second_branch)
    returning *
  loop
    perform semo.tell(p_office, 'conflict.cleared', semo.conflict_detail(v_row));
  end loop;

  for v_row in
    select null::uuid as id, p_office as office_id, p_client as client_id, p.first_branch, p.second_branch,
           (select s.id from agent_sessions s where s.id = p.first_session and s.client_id = p_client) as first_session,
           (select s.id from agent_sessions s where s.id = p.second_session and s.client_id = p_client) as second_session,
           p.files, p.files_total, p.uncommitted, now() as since, now() as changed_at, null::timestamptz as cleared_at
    from jsonb_to_recordset(p_pairs) as p(first_branch text, second_branch text, first_session uuid, second_session uuid, files jsonb,
                                          files_total integer, uncommitted boolean)
  loop
    select * into v_before from branch_conflicts b
    where b.client_id = p_client and b.office_id = p_office and b.cleared_at is null
      and b.first_branch = v_row.first_branch and b.second_branch = v_row.second_branch;
    if v_before.id is null then
      insert into branch_conflicts (office_id, client_id, first_branch, second_branch, first_session, second_session, files, files_total, uncommitted)
      values (p_office, p_client, v_row.first_branch, v_row.second_branch, v_row.first_session, v_row.second_session, v_row.files,
              v_row.files_total, v_row.uncommitted)
      returning * into v_row;
      perform semo.tell(p_office, 'conflict.forecast', semo.conflict_detail(v_row));
    elsif (v_before.files, v_before.first_session, v_before.second_session, v_before.uncommitted)
          is distinct from (v_row.files, v_row.first_session, v_row.second_session, v_row.uncommitted) then
      update branch_conflicts b set files = v_row.files, files_total = v_row.files_total, first_session = v_row.first_session,
             second_session = v_row.second_session, uncommitted = v_row.uncommitted, changed_at = now()
      where b.id = v_before.id returning * into v_row;
      if v_before.files <> v_row.files then
        perform semo.tell(p_office, 'conflict.forecast', semo.conflict_detail(v_row));
      end if;
    end if;
  end loop;
end $$;

create function semo.conflict_detail(p_row branch_conflicts)
returns jsonb language sql stable set search_path = public, pg_temp as $$
  select jsonb_build_object('conflict_id', p_row.id, 'client_id', p_row.client_id, 'branches', jsonb_build_array(p_row.first_branch, p_row.second_branch),
    'sessions', jsonb_build_array(p_row.first_session, p_row.second_session), 'files', p_row.files, 'files_total', p_row.files_total,
    'uncommitted', p_row.uncommitted)
$$;

-- What would conflict in an office now, and who looks: {"conflicts":[…],"machines":[…]}. What a machine that is offline said last is
-- shown with `online` false.
create function office_conflicts(p_office uuid)
returns jsonb language plpgsql stable security definer set search_path = public, pg_temp as $$
begin
  if not exists (select 1 from offices where id = p_office) or (auth.role() = 'authenticated' and not semo.has_role(p_office, 'viewer')) then
    perform semo.refuse('SO003', format('there is no office %s', p_office));
  end if;
  return jsonb_build_object(
    'conflicts', (
      select coalesce(jsonb_agg(semo.conflict_detail(b) || jsonb_build_object('since', b.since, 'changed_at', b.changed_at, 'online', semo.is_online(c))
                      order by b.since, b.id), '[]')
      from branch_conflicts b join remote_clients c on c.id = b.client_id where b.office_id = p_office and b.cleared_at is null),
    'machines', (
      select coalesce(jsonb_agg(jsonb_build_object('client_id', c.id, 'name', c.name, 'online', semo.is_online(c), 'branches', f.branches,
                      'problem', f.problem, 'told_at', f.told_at) order by c.name, c.id), '[]')
      from conflict_forecasts f join remote_clients c on c.id = f.client_id where f.office_id = p_office and c.revoked_at is null));
end $$;

alter table conflict_forecasts enable row level security;
alter table branch_conflicts   enable row level security;
revoke all on conflict_forecasts, branch_conflicts from anon, authenticated, service_role;
grant select on conflict_forecasts, branch_conflicts to authenticated, service_role;
create policy "members see who looks" on conflict_forecasts for select to authenticated using (semo.has_role(office_id, 'viewer'));
create policy "members see the conflicts" on branch_conflicts for select to authenticated using (semo.has_role(office_id, 'viewer'));

revoke execute on function semo.conflict_detail, report_conflicts, office_conflicts from public, anon;
grant execute on function report_conflicts, office_conflicts to authenticated, service_role;
