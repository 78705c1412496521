-- What turns cost, the caps on it, and what happens when one is reached. A cap is looked at before a turn begins, never while it runs.

-- One row for each turn whose agent told what it cost, or how many tokens it took. Kept when its session, job or plan is gone.
create table costs (
  turn_id            uuid primary key,
  office_id          uuid not null references offices on delete cascade,
  at                 timestamptz not null default now(),
  role               text not null,
  agent              text not null,
  model              text,
  author             text,
  session_id         uuid,
  client_id          uuid,
  command_id         uuid,
  execution_id       uuid,
  job_id             uuid,
  plan_id            uuid,
  cost_usd           numeric not null default 0 check (cost_usd >= 0),
  input_tokens       bigint not null default 0,
  output_tokens      bigint not null default 0,
  cache_write_tokens bigint not null default 0,
  cache_read_tokens  bigint not null default 0,
  tokens             bigint generated always as (input_tokens + output_tokens + cache_write_tokens) stored  -- what caps count: not what was read again
);
create index costs_office on costs (office_id, at);
create index costs_plan   on costs (plan_id) where plan_id is not null;

create type budget_scope  as enum ('office', 'role', 'agent', 'plan', 'job');
create type budget_period as enum ('day', 'total');  -- days are those of UTC

create table budgets (
  id         uuid primary key default gen_random_uuid(),
  office_id  uuid not null references offices on delete cascade,
  scope      budget_scope not null,
  name       text not null default '',  -- of the role or agent; id of the plan or job; empty for the whole office
  period     budget_period not null,
  cap_usd    numeric,
  cap_tokens bigint,
  set_by     text,
  set_at     timestamptz not null default now(),
  unique (office_id, scope, name, period),
  check (num_nonnulls(cap_usd, cap_tokens) > 0 and coalesce(cap_usd, 1) > 0 and coalesce(cap_tokens, 1) > 0),
  check ((scope = 'office') = (name = ''))
);

-- An agent's service said that it is overloaded, or that a quota is used up. No turn of that agent begins on that machine until the
-- pause is over; each further time doubles it, and a turn that goes well forgets it.
create table agent_pauses (
  client_id  uuid not null references remote_clients on delete cascade,
  agent      text not null,
  reason     text not null check (reason in ('overloaded', 'quota')),
  times      integer not null default 1,  -- in a row
  error      text,
  since      timestamptz not null default now(),
  until      timestamptz not null,
  primary key (client_id, agent)
);

-- What a turn cost, from its result: {"cost_usd", "evidence":[{"kind":"agent_session","usage":{…}}]}. Told twice, it counts once.
create function semo.keep_cost(p_command agent_commands, p_result jsonb)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_usage jsonb := jsonb_path_query_first(p_result, '$.evidence[*] ? (@.kind == "agent_session").usage');
begin
  if v_usage is null and not p_result ? 'cost_usd' then
    return;
  end if;
  insert into costs as c (turn_id, office_id, role, agent, model, author, session_id, client_id, command_id, execution_id, job_id, plan_id,
                          cost_usd, input_tokens, output_tokens, cache_write_tokens, cache_read_tokens)
  select (p_result ->> 'turn_id')::uuid, s.office_id, s.role, s.agent, s.model, p_command.author, s.id, s.client_id, p_command.id,
         p_command.execution_id, e.job_id, e.plan_id, greatest(coalesce((p_result ->> 'cost_usd')::numeric, 0), 0),
         coalesce((v_usage ->> 'input_tokens')::bigint, 0), coalesce((v_usage ->> 'output_tokens')::bigint, 0),
         coalesce((v_usage ->> 'cache_creation_input_tokens')::bigint, 0), coalesce((v_usage ->> 'cache_read_input_tokens')::bigint, 0)
  from agent_sessions s left join executions e on e.id = p_command.execution_id
  where s.id = (p_result ->> 'session_id')::uuid and s.client_id = p_command.claimed_by
  on conflict (turn_id) do update set
    cost_usd = excluded.cost_usd, input_tokens = excluded.input_tokens, output_tokens = excluded.output_tokens,
    cache_write_tokens = excluded.cache_write_tokens, cache_read_tokens = excluded.cache_read_tokens
    where c.command_id = excluded.command_id;
end $$;

-- Draws, of agent_pauses: (no row) → paused, paused → paused (twice as long), paused → (no row).
create function semo.learn_of_service(p_command agent_commands, p_success boolean, p_result jsonb, p_error text)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_trouble text := case when not p_success then semo.service_trouble(p_result) end;
  v_agent text;
  v_pause agent_pauses;
begin
  if v_trouble is null and not (p_success and exists (select 1 from agent_pauses where client_id = p_command.claimed_by)) then
    return;
  end if;
  select agent into v_agent from agent_sessions where id = (p_result ->> 'session_id')::uuid and client_id = p_command.claimed_by;
  if v_agent is null then
    return;
  elsif v_trouble is null then
    delete from agent_pauses where client_id = p_command.claimed_by and agent = v_agent;
    return;
  end if;
  insert into agent_pauses as a (client_id, agent, reason, error, until)
  values (p_command.claimed_by, v_agent, v_trouble, p_error, now() + interval '30 seconds')
  on conflict (client_id, agent) do update set
    reason = excluded.reason, error = excluded.error, times = a.times + 1,
    until = now() + least(interval '30 seconds' * power(2, a.times), interval '30 minutes')
  returning * into v_pause;
  perform semo.tell(p_command.office_id, 'agent.paused', jsonb_build_object('client_id', v_pause.client_id, 'agent', v_agent,
    'reason', v_trouble, 'until', v_pause.until, 'error', p_error), p_command.session_id, p_command.id);
end $$;

-- How long the agents of a client rest for which a quota is used up.
create function semo.rest_of_agents(p_client uuid)
returns interval language sql stable set search_path = public, pg_temp as $$
  select coalesce(max(until) - now(), interval '30 seconds') from agent_pauses where client_id = p_client and reason = 'quota' and until > now()
$$;

-- Why the agent that a prompt is for rests on a client at present: overloaded, quota; null when it does not.
create function semo.pause_before(p_client remote_clients, p_command agent_commands)
returns text language sql stable security definer set search_path = public, pg_temp as $$
  select p.reason from agent_pauses p
  where p_command.command_type = 'send_prompt' and p.client_id = p_client.id and p.until > now()
    and p.agent = coalesce((select s.agent from agent_sessions s where s.id = p_command.session_id),
                           p_command.payload ->> 'agent', p_client.capabilities ->> 'default_agent')
$$;

-- What counts against a budget until now.
create function semo.spent(p_budget budgets, out usd numeric, out tokens numeric)
language sql stable security definer set search_path = public, pg_temp as $$
  select coalesce(sum(c.cost_usd), 0), coalesce(sum(c.tokens), 0)
  from costs c
  where c.office_id = p_budget.office_id
    and (p_budget.period = 'total' or c.at >= date_trunc('day', now() at time zone 'utc') at time zone 'utc')
    and case p_budget.scope
          when 'office' then true
          when 'role' then c.role = p_budget.name
          when 'agent' then c.agent = p_budget.name
          when 'plan' then c.plan_id::text = p_budget.name
          else c.job_id::text = p_budget.name end
$$;

-- What a budget says now: {"id","scope","name","label","period","cap_usd","cap_tokens","spent_usd","spent_tokens","reached","words"}.
create function semo.budget_state(p_budget budgets)
returns jsonb language plpgsql stable security definer set search_path = public, pg_temp as $$
declare
  v_spent record := semo.spent(p_budget);
  v_label text := case p_budget.scope
                    when 'plan' then (select name from plans where id::text = p_budget.name)
                    when 'job' then (select name from jobs where id::text = p_budget.name) end;
  v_of text := case when p_budget.scope = 'office' then 'the office'
                    when p_budget.scope in ('role', 'agent') then format('the %s %s', p_budget.scope, p_budget.name)
                    else coalesce(format('the %s ', p_budget.scope) || v_label, format('a %s that is gone', p_budget.scope)) end;
  v_reached boolean := coalesce(v_spent.usd >= p_budget.cap_usd, false) or coalesce(v_spent.tokens >= p_budget.cap_tokens, false);
begin
  return jsonb_build_object(
    'id', p_budget.id, 'scope', p_budget.scope, 'name', p_budget.name, 'label', v_label, 'period', p_budget.period, 'cap_usd', p_budget.cap_usd,
    'cap_tokens', p_budget.cap_tokens, 'set_by', p_budget.set_by, 'set_at', p_budget.set_at,
    'spent_usd', v_spent.usd, 'spent_tokens', v_spent.tokens, 'reached', v_reached,
    'words', format('the cap of %s%s is %s: %s', v_of, case p_budget.period when 'day' then ' for today' else '' end,
                    case when v_reached then 'reached' else 'not reached' end,
                    case when p_budget.cap_usd is null or (v_spent.usd < p_budget.cap_usd and v_reached)
                         then format('%s of %s tokens', v_spent.tokens, p_budget.cap_tokens)
                         else format('%s of %s USD', round(v_spent.usd, 2), round(p_budget.cap_usd, 2)) end));
end $$;

-- The first cap that keeps a turn of these from beginning, as budget_state tells it; null when none does. The agent may not be known yet.
create function semo.reached_cap(p_office uuid, p_role text, p_agent text, p_plan uuid default null, p_job uuid default null)
returns jsonb language plpgsql stable security definer set search_path = public, pg_temp as $$
declare
  v_budget budgets;
  v_state jsonb;
begin
  for v_budget in
    select * from budgets b
    where b.office_id = p_office
      and b.name in ('', p_role, p_agent, p_plan::text, p_job::text)
      and case b.scope when 'office' then true when 'role' then b.name = p_role when 'agent' then b.name = p_agent
                       when 'plan' then b.name = p_plan::text else b.name = p_job::text end
    order by b.scope, b.period
  loop
    v_state := semo.budget_state(v_budget);
    if (v_state ->> 'reached')::boolean then
      return v_state;
    end if;
  end loop;
  return null;
end $$;

-- The same in words.
create function semo.cap_reached(p_office uuid, p_role text, p_agent text)
returns text language sql stable security definer set search_path = public, pg_temp as $$
  select semo.reached_cap(p_office, p_role, p_agent) ->> 'words'
$$;

-- Sets a cap, or takes one away (both null). Returns its state, or null when it is gone.
-- Draws, of jobs: blocked → waiting, of those that no cap holds any more.
create function set_budget(p_office uuid, p_scope budget_scope, p_name text, p_period budget_period, p_cap_usd numeric, p_cap_tokens bigint, p_by text)
returns jsonb language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_name text := coalesce(p_name, '');
  v_budget budgets;
begin
  perform semo.lock_jobs(p_office);
  if p_scope = 'office' and v_name <> '' then
    perform semo.refuse('SO004', 'name: the budget of the whole office has none');
  elsif p_scope <> 'office' and v_name = '' then
    perform semo.refuse('SO004', format('name: says which %s the budget is of', p_scope));
  elsif p_cap_usd <= 0 or p_cap_tokens <= 0 then
    perform semo.refuse('SO004', format('%s: a cap must be above zero', case when p_cap_usd <= 0 then 'cap_usd' else 'cap_tokens' end),
                        'to let nothing run, pause the plan or drain the machines');
  elsif p_scope = 'role' then
    v_name := (semo.persona_of(p_office, v_name)).role;
    if v_name is null then perform semo.refuse('SO004', format('name: unknown role "%s"', p_name)); end if;
  elsif (p_scope = 'plan' and not exists (select 1 from plans where id::text = v_name and office_id = p_office))
     or (p_scope = 'job' and not exists (select 1 from jobs where id::text = v_name and office_id = p_office)) then
    perform semo.refuse('SO003', format('there is no %s %s in this office', p_scope, v_name));
  end if;
  if p_cap_usd is null and p_cap_tokens is null then
    delete from budgets where office_id = p_office and scope = p_scope and name = v_name and period = p_period;
  else
    insert into budgets (office_id, scope, name, period, cap_usd, cap_tokens, set_by)
    values (p_office, p_scope, v_name, p_period, p_cap_usd, p_cap_tokens, p_by)
    on conflict (office_id, scope, name, period) do update set
      cap_usd = excluded.cap_usd, cap_tokens = excluded.cap_tokens, set_by = excluded.set_by, set_at = now()
    returning * into v_budget;
  end if;
  perform semo.tell(p_office, 'budget.set', jsonb_build_object('scope', p_scope, 'name', v_name, 'period', p_period, 'cap_usd', p_cap_usd,
                                                                'cap_tokens', p_cap_tokens, 'by', p_by));
  perform semo.free_from_caps(p_office);
  perform semo.wake_schedulers(p_office);
  return case when v_budget.id is not null then semo.budget_state(v_budget) end;
end $$;

-- Draws, of jobs: blocked → waiting, of those that a cap held and none does now: it was raised, or another day has begun.
create function semo.free_from_caps(p_office uuid)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_job jobs;
begin
  for v_job in
    select * from jobs where office_id = p_office and status = 'blocked' and failure_kind = 'cap' order by priority desc, seq
  loop
    continue when semo.held_by_a_cap(v_job) is not null;
    update jobs set status = 'waiting', failure_kind = null, error = null, cap = null where id = v_job.id;
    perform semo.tell_of_plan(p_office, 'job.retried', v_job.plan_id, jsonb_build_object('job_id', v_job.id, 'name', v_job.name, 'why', 'cap'));
    perform semo.promote(array[v_job.id]);
  end loop;
end $$;
create index jobs_capped on jobs (office_id) where status = 'blocked' and failure_kind = 'cap';

create function list_budgets(p_office uuid)
returns jsonb language plpgsql stable security definer set search_path = public, pg_temp as $$
begin
  if auth.role() = 'authenticated' and not semo.has_role(p_office, 'viewer') then
    perform semo.refuse('SO003', format('there is no office %s', p_office));
  end if;
  return (select coalesce(jsonb_agg(semo.budget_state(b) order by b.scope, b.name, b.period), '[]') from budgets b where b.office_id = p_office);
end $$;

-- What an office spent between two moments, summed up by day, role, agent, model, author, client, session, plan, job, execution or turn:
-- [{"key","label","cost_usd","tokens","input_tokens","output_tokens","cache_write_tokens","cache_read_tokens","turns"}], the dearest first.
create function sum_costs(p_office uuid, p_by text, p_from timestamptz default '-infinity', p_to timestamptz default 'infinity', p_limit integer default 1000)
returns jsonb language plpgsql stable security definer set search_path = public, pg_temp as $$
begin
  if auth.role() = 'authenticated' and not semo.has_role(p_office, 'viewer') then
    perform semo.refuse('SO003', format('there is no office %s', p_office));
  elsif p_by not in ('day', 'role', 'agent', 'model', 'author', 'client', 'session', 'plan', 'job', 'execution', 'turn') then
    perform semo.refuse('SO004', format('by: costs are not summed up by "%s"', p_by),
                        'by day, role, agent, model, author, client, session, plan, job, execution or turn');
  end if;
  return (
    with keyed as (
      select case p_by when 'day' then to_char(c.at at time zone 'utc', 'YYYY-MM-DD') when 'role' then c.role when 'agent' then c.agent
                       when 'model' then c.model when 'author' then c.author when 'client' then c.client_id::text
                       when 'session' then c.session_id::text when 'plan' then c.plan_id::text when 'job' then c.job_id::text
                       when 'execution' then c.execution_id::text else c.turn_id::text end as key, c.*
      from costs c where c.office_id = p_office and c.at >= p_from and c.at < p_to),
    summed as (
      select key, sum(cost_usd) as cost_usd, sum(tokens) as tokens, sum(input_tokens) as input_tokens, sum(output_tokens) as output_tokens,
             sum(cache_write_tokens) as cache_write_tokens, sum(cache_read_tokens) as cache_read_tokens, count(*) as turns
      from keyed where key is not null group by key order by sum(cost_usd) desc, sum(tokens) desc, key limit p_limit)
    select coalesce(jsonb_agg(jsonb_build_object(
             'key', key, 'label', coalesce(case p_by when 'plan' then (select name from plans where id::text = key)
                                                     when 'job' then (select name from jobs where id::text = key)
                                                     when 'client' then (select name from remote_clients where id::text = key) end, key),
             'cost_usd', cost_usd, 'tokens', tokens, 'input_tokens', input_tokens, 'output_tokens', output_tokens,
             'cache_write_tokens', cache_write_tokens, 'cache_read_tokens', cache_read_tokens, 'turns', turns)
             order by cost_usd desc, tokens desc, key), '[]') from summed);
end $$;

alter table costs        enable row level security;
alter table budgets      enable row level security;
alter table agent_pauses enable row level security;
revoke all on costs, budgets, agent_pauses from anon, authenticated, service_role;
grant select on costs, budgets, agent_pauses to authenticated, service_role;
create policy "members see what was spent" on costs for select to authenticated using (semo.has_role(office_id, 'viewer'));
create policy "members see the budgets" on budgets for select to authenticated using (semo.has_role(office_id, 'viewer'));
create policy "members and the machine see its pauses" on agent_pauses for select to authenticated using (
  client_id = semo.calling_client()
  or exists (select 1 from client_offices o where o.client_id = agent_pauses.client_id and semo.has_role(o.office_id, 'viewer')));

revoke execute on function set_budget from public, anon, authenticated;
grant execute on function set_budget to service_role;
revoke execute on function list_budgets, sum_costs from public, anon;
grant execute on function list_budgets, sum_costs to authenticated, service_role;
revoke execute on all functions in schema semo from public;
grant execute on function semo.cap_reached to authenticated, service_role;
