-- A client's hold on commands: register, claim, renew, finish, give back; and the rescue of what nobody holds any more.
-- Every write of an owner carries (client, epoch) and (command, attempt) and is refused with SO001 when either is stale.

-- Raises the epoch, so that an older process of the same client is fenced out from here on.
-- Draws: (every session no longer alive on the machine) → terminated. Commands the process still accounts for are taken over.
-- Draws, of role_circuits: open → (no row).
-- Draws: processing → pending (attempt + 1), of what was claimed and never typed.
-- p_live_sessions: ids. p_held: [{"command_id","attempt"}]. p_start: names this start of the client; asking again under the same name
-- (the first answer was lost) begins nothing anew. p_starts: all starts that the journal of the process knows of. Where the one that has
-- the epoch is not among them, the journal is a copy or older than what was done since, and nothing in it is believed; it is
-- refused for as long as the other process may still run. p_machine_restarted: the machine took the last moments of the journal
-- with it, and all terminals: what is not held is resolved by the rule of the rescue.
-- Returns {"epoch","offices":[terms],"held":[{"command_id","attempt"}],"sessions":[what the office knows of the live ones]}.
create function register_client(p_client uuid, p_capabilities jsonb, p_capacity integer, p_version text,
                                p_live_sessions uuid[] default '{}', p_held jsonb default '[]',
                                p_start uuid default null, p_starts uuid[] default '{}', p_machine_restarted boolean default false)
returns jsonb language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_client remote_clients;
  v_known boolean;  -- the journal knows of all that was done under the last epoch
  v_held jsonb;
  v_sessions jsonb;
  v_unheld agent_commands;
begin
  select * into v_client from remote_clients where id = p_client for update;
  v_client := semo.own_client(p_client, v_client.epoch);
  v_known := coalesce(v_client.started_as = any (p_starts || p_start), false);
  if v_client.started_as is not null and not v_known and semo.is_online(v_client) then
    perform semo.refuse('SO001',
      format('client %s was heard %s seconds ago from a process that this state folder does not know of: the folder is a copy, or older than what was done since',
             p_client, round(extract(epoch from now() - v_client.last_seen_at))),
      'let one of the two go on, and let a second machine join as a client of its own; where no other process runs, start again in half a minute');
  end if;
  perform semo.let_time_pass();
  update remote_clients
  set epoch = case when p_start = started_as then epoch else epoch + 1 end, started_as = p_start, claims_from = 0,
      capabilities = p_capabilities, capacity = p_capacity, version = p_version,
      holding_back = null, registered_at = now(), last_seen_at = now(), signed_off_at = null, missed_since = null
  where id = p_client returning * into v_client;
  delete from role_circuits where client_id = p_client;

  -- Commands are always locked in the order of their ids.
  perform 1 from agent_commands where claimed_by = p_client and status = 'processing' order by id for no key update;
  with taken_over as (
    -- No claim of this process took them: none that stays unanswered may hand them over again.
    update agent_commands c set claim_epoch = v_client.epoch, claim_number = null, lease_until = greatest(c.lease_until, now() + interval '30 seconds')
    from jsonb_to_recordset(p_held) as h(command_id uuid, attempt integer)
    where v_known and c.id = h.command_id and c.attempt = h.attempt and c.status = 'processing' and c.claimed_by = p_client
    returning c.id, c.attempt)
  select coalesce(jsonb_agg(jsonb_build_object('command_id', id, 'attempt', attempt)), '[]') into v_held from taken_over;

  update agent_sessions
  set status = 'terminated', ended_at = now(), end_reason = 'client_restarted', acquired_by = null, pid = null
  where client_id = p_client and ended_at is null and id <> all (p_live_sessions);

  -- What this client claimed and its journal does not hold was never typed: it is offered again at once.
  if v_known then
    for v_unheld in
      select c.* from agent_commands c
      where c.claimed_by = p_client and c.status = 'processing' and c.claim_epoch <> v_client.epoch
        and (c.typed_at is null or p_machine_restarted)
      order by c.seq
    loop
      if p_machine_restarted then
        perform semo.rescue(v_unheld, 'the machine that held this was started anew');
      else
        perform semo.reopen(v_unheld);
      end if;
    end loop;
  end if;

  -- A session goes back to its pool when the command that holds it needed it for itself alone, and when it was made in vain.
  select coalesce(jsonb_agg(jsonb_build_object(
           'session_id', s.id, 'status', s.status, 'output_end', s.output_bytes, 'acquired_by', s.acquired_by,
           'attempt', coalesce(c.attempt, 1),
           'goes_back', coalesce((c.command_type = 'send_prompt' and c.payload ? 'role')
                                 or (c.command_type = 'create_session' and c.status not in ('processing', 'completed')), false))), '[]')
  into v_sessions
  from agent_sessions s left join agent_commands c on c.id = s.acquired_by
  where s.client_id = p_client and s.ended_at is null;

  return jsonb_build_object('epoch', v_client.epoch, 'name', v_client.name, 'offices', semo.office_terms(p_client), 'held', v_held, 'sessions', v_sessions);
end $$;

-- Says that the client lives, and keeps the house: what has run out expires, what nobody holds is rescued or withdrawn.
-- p_memory: {"total","free"} in MB. p_policy, p_repositories ({office: …}): told when they are others than before.
create function heartbeat(p_client uuid, p_epoch bigint, p_memory jsonb default null, p_policy jsonb default null, p_repositories jsonb default null)
returns jsonb language plpgsql security definer set search_path = public, pg_temp as $$
begin
  perform semo.own_client(p_client, p_epoch);
  update remote_clients set last_seen_at = now(), missed_since = null,
    memory = coalesce(p_memory, memory), policy = coalesce(p_policy, policy)
  where id = p_client;
  if p_repositories is not null then
    update client_offices o set repository = nullif(p_repositories -> o.office_id::text, 'null'), repository_told = true
    where o.client_id = p_client and p_repositories ? o.office_id::text;
  end if;
  perform expire_commands();
  perform rescue_commands();
  perform settle_approvals();
  return jsonb_build_object('name', (select name from remote_clients where id = p_client), 'offices', semo.office_terms(p_client));
end $$;

-- The client ends: from here on it is offline, until it registers again.
create function sign_off(p_client uuid, p_epoch bigint)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
begin
  perform semo.own_client(p_client, p_epoch);
  update remote_clients set signed_off_at = now() where id = p_client;
end $$;

-- Draws: pending → processing. In order per session and lane; within the places of the client and of the office; nothing that needs a
-- new session while the circuit of its role is open here. p_holding_back: why some agents of the client get no new session,
-- {"reason":"low_memory","free_mb","agents":{"claude":{"needed_mb"}}}; null: all do.
-- p_claim numbers the claims of a process. p_unanswered: the first of its claims, in a row up to this one, whose answer never came:
-- what they took is handed over again, and one that is still on its way takes nothing any more.
create function claim_commands(p_client uuid, p_epoch bigint, p_limit integer default 10, p_lease_seconds integer default 30,
                               p_holding_back jsonb default null, p_claim bigint default null, p_unanswered bigint default null)
returns setof agent_commands language plpgsql security definer set search_path = public, pg_temp
-- Planned once for a connection: planning took a third of a claim's time. By indexes, however small the tables were at that moment.
set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
declare
  v_client remote_clients;
  v_command agent_commands;
  v_needs_place boolean;
  v_is_hindered boolean;
  v_places bigint;
  v_offices uuid[];
  v_free jsonb;  -- office → places that it has left
  v_claimed integer := 0;
begin
  perform 1 from remote_clients where id = p_client for no key update;  -- one claim of a client at a time
  v_client := semo.own_client(p_client, p_epoch);
  if p_claim < v_client.claims_from then
    return;
  end if;
  if v_client.holding_back is distinct from p_holding_back then
    update remote_clients set holding_back = p_holding_back where id = p_client returning * into v_client;
  end if;
  if p_unanswered is not null then
    for v_command in select * from semo.hand_over_again(p_client, p_epoch, p_lease_seconds, p_claim, p_unanswered) loop
      return next v_command;
      v_claimed := v_claimed + 1;
    end loop;
  end if;
  v_is_hindered := p_holding_back is not null or exists (select 1 from role_circuits where client_id = p_client)
                   or exists (select 1 from agent_pauses where client_id = p_client and until > now())
                   or exists (select 1 from client_offices o where o.client_id = p_client and semo.lacks_repository(o));
  v_places := case when coalesce(v_client.draining_since, v_client.paused_since) is null then v_client.capacity - semo.places_taken(p_client) else 0 end;
  -- Clients take turns over the places of an office, so that together they stay within its limit; in the order of the ids, so
  -- that clients of several offices never wait for each other in a circle. Nobody stands in line for an office that is full,
  -- nor for what is not for him.
  select array_agg(locked.id) into v_offices from (
    select o.id from offices o
    where v_places > 0 and o.id in (
      select c.office_id from agent_commands c join client_offices m on m.client_id = p_client and m.office_id = c.office_id
      where c.status = 'pending' and semo.needs_place(c.command_type, c.session_id)
        and (c.client_id is null or c.client_id = p_client) and (c.not_before is null or c.not_before <= now())
        and semo.is_capable(v_client, c.payload))
      and o.session_limit > semo.places_taken_in_office(o.id)
    order by o.id for no key update) locked;
  select coalesce(jsonb_object_agg(id, session_limit - semo.places_taken_in_office(id)), '{}') into v_free
  from offices where id = any (v_offices);

  for v_command in
    select c.* from agent_commands c
    where c.status = 'pending'
      and c.office_id in (select office_id from client_offices where client_id = p_client)
      and (c.client_id is null or c.client_id = p_client)
      and (c.deadline is null or c.deadline > now())
      and (c.not_before is null or c.not_before <= now())
      and (not semo.needs_place(c.command_type, c.session_id)
           or (v_places > 0 and semo.is_capable(v_client, c.payload)
               and (not v_is_hindered or semo.no_session_because(v_client, c.office_id, c.payload) is null)))
      and (not v_is_hindered or semo.pause_before(v_client, c) is null)
      and not exists (
        select 1 from agent_commands e
        where e.session_id = c.session_id and (e.status = 'processing' or (e.status = 'pending' and e.seq < c.seq))
          and semo.lane(e.command_type) = semo.lane(c.command_type))
    order by semo.lane(c.command_type), c.priority desc, c.seq  -- 'control' before 'work'
  loop
    exit when v_claimed >= p_limit;
    v_needs_place := semo.needs_place(v_command.command_type, v_command.session_id);
    continue when v_needs_place and (v_places < 1 or coalesce((v_free ->> v_command.office_id::text)::integer, 0) < 1);

    -- Locked one by one: what another client is taking is passed over, and what is passed over stays free for others.
    update agent_commands
    set status = 'processing', claimed_by = p_client, claim_epoch = p_epoch, claim_number = p_claim,
        claimed_at = clock_timestamp(),  -- this may have begun before what it takes was there, and before what that waited for was over
        lease_until = now() + make_interval(secs => p_lease_seconds),
        persona_version = case when command_type = 'send_prompt' then
          (select coalesce(p.rendered_version, p.version) from semo.persona_of(office_id,
             coalesce(payload ->> 'role', (select s.role from agent_sessions s where s.id = session_id))) p) end
    where id = (select id from agent_commands where id = v_command.id and status = 'pending' for no key update skip locked)
    returning * into v_command;
    continue when not found;
    return next v_command;
    v_claimed := v_claimed + 1;
    if v_needs_place then
      v_places := v_places - 1;
      v_free := v_free || jsonb_build_object(v_command.office_id, (v_free ->> v_command.office_id::text)::integer - 1);
    end if;
  end loop;
end $$;

-- What claims took whose answers never came: it is still its client's, which knows nothing of it. Draws no arrow.
create function semo.hand_over_again(p_client uuid, p_epoch bigint, p_lease_seconds integer, p_claim bigint, p_unanswered bigint)
returns setof agent_commands language plpgsql security definer set search_path = public, pg_temp as $$
begin
  update remote_clients set claims_from = p_claim where id = p_client;
  -- Commands are always locked in the order of their ids.
  perform 1 from agent_commands where claimed_by = p_client and status = 'processing' order by id for no key update;
  return query
    with taken as (
      update agent_commands set claim_number = p_claim, lease_until = now() + make_interval(secs => p_lease_seconds)
      where claimed_by = p_client and claim_epoch = p_epoch and status = 'processing' and claim_number >= p_unanswered
      returning *)
    select * from taken order by semo.lane(command_type), priority desc, seq;
end $$;

-- A command for one of its owner's writes, locked; SO001 when the hold is stale.
create function semo.held_command(p_client uuid, p_epoch bigint, p_command uuid, p_attempt integer)
returns agent_commands language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_command agent_commands;
begin
  perform semo.own_client(p_client, p_epoch);
  select * into v_command from agent_commands where id = p_command for no key update;
  if v_command.id is null or v_command.status <> 'processing' or v_command.attempt <> p_attempt
     or v_command.claimed_by is distinct from p_client or v_command.claim_epoch is distinct from p_epoch then
    perform semo.refuse('SO001', format('attempt %s of command %s is not held by client %s at epoch %s%s', p_attempt, p_command, p_client, p_epoch,
      case when v_command.id is not null then format(': it is %s, attempt %s', v_command.status, v_command.attempt) else '' end));
  end if;
  return v_command;
end $$;

-- p_leases: [{"command_id","attempt"}]. Returns those that are still held and now last longer; the others are gone.
create function renew_leases(p_client uuid, p_epoch bigint, p_leases jsonb, p_lease_seconds integer default 30)
returns table (command_id uuid, attempt integer) language plpgsql security definer set search_path = public, pg_temp as $$
begin
  perform semo.own_client(p_client, p_epoch);
  -- Commands are always locked in the order of their ids.
  perform 1 from agent_commands
  where id in (select l.command_id from jsonb_to_recordset(p_leases) as l(command_id uuid)) order by id for no key update;
  return query
    update agent_commands c set lease_until = now() + make_interval(secs => p_lease_seconds)
    from jsonb_to_recordset(p_leases) as l(command_id uuid, attempt integer)
    where c.id = l.command_id and c.attempt = l.attempt and c.status = 'processing'
      and c.claimed_by = p_client and c.claim_epoch = p_epoch
    returning c.id, c.attempt;
end $$;

-- The one result row of an attempt that is over.
create function semo.keep_result(p_command agent_commands, p_success boolean, p_result jsonb, p_error_code text, p_error text)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
begin
  insert into agent_command_results (command_id, attempt, office_id, client_id, success, result, error_code, error)
  values (p_command.id, p_command.attempt, p_command.office_id, p_command.claimed_by, p_success, p_result, p_error_code, p_error);
end $$;

-- Draws: processing → completed, processing → failed, processing → lost. Writes the attempt's one result row with it.
create function semo.finish(p_command agent_commands, p_status command_status, p_result jsonb, p_error_code text, p_error text)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
begin
  perform semo.keep_result(p_command, p_status = 'completed', p_result, p_error_code, p_error);
  update agent_commands
  set status = p_status, lease_until = null, typed_at = p_command.typed_at, confirmed_at = p_command.confirmed_at,
      finished_at = coalesce(p_command.finished_at, clock_timestamp()), reported_at = clock_timestamp()
  where id = p_command.id;
end $$;

-- Closes the turn of a prompt from its result: {"turn_id","session_id","outcome","marker","evidence",…}.
create function semo.close_turn(p_command agent_commands, p_result jsonb)
returns void language sql security definer set search_path = public, pg_temp as $$
  insert into session_turns as t (id, session_id, command_id, attempt, started_at, ended_at, outcome, marker, evidence, output_start, output_end,
                             commits, pull_requests, cost_usd, duration_s)
  select r.turn_id, r.session_id, p_command.id, p_command.attempt, coalesce(p_command.typed_at, now()), now(), r.outcome, r.marker,
         coalesce(r.evidence, '[]'), r.output_start, r.output_end, coalesce(r.commits, '[]'), coalesce(r.pull_requests, '[]'), r.cost_usd, r.duration_s
  from jsonb_to_record(p_result) as r(turn_id uuid, session_id uuid, outcome turn_outcome, marker boolean, evidence jsonb, output_start bigint,
       output_end bigint, commits jsonb, pull_requests jsonb, cost_usd numeric, duration_s numeric)
  where r.turn_id is not null and exists (select 1 from agent_sessions s where s.id = r.session_id and s.client_id = p_command.claimed_by)
  on conflict (id) do update set
    ended_at = excluded.ended_at, outcome = excluded.outcome, marker = excluded.marker, evidence = excluded.evidence,
    output_start = excluded.output_start, output_end = excluded.output_end, commits = excluded.commits,
    pull_requests = excluded.pull_requests, cost_usd = excluded.cost_usd, duration_s = excluded.duration_s
    where t.command_id = excluded.command_id
$$;

-- When a command whose try failed is to be tried again: 2 s after the first one, then twice as long; null: it is not.
-- p_retry: what went wrong with the try, which also bounds the number of tries: 'timeout' (2), 'died' and 'not_made' (3).
-- Whoever asked for the prompt must have allowed more than one.
create function semo.next_try(p_command agent_commands, p_retry text)
returns timestamptz language plpgsql stable set search_path = public, pg_temp as $$
declare
  v_tries bigint := 1 + (select count(*) from agent_command_results where command_id = p_command.id);
  v_most integer := least(p_command.max_attempts, case p_retry when 'timeout' then 2 when 'died' then 3 when 'not_made' then 3 else 1 end);
  v_next timestamptz := now() + interval '2 seconds' * power(2, v_tries - 1);
begin
  return case when v_tries < v_most and (p_command.deadline is null or p_command.deadline > v_next) then v_next end;
end $$;

-- Draws: processing → completed, processing → failed. Result, status, turn and session in one transaction.
-- Draws: processing → pending (attempt + 1), when the try failed in a way that p_retry names and may be followed by another.
-- p_session_status: what the session is now, when the command moved it. p_typed_at, p_confirmed_at, p_finished_at, p_output: what
-- record_progress and append_output have not told yet, so that whoever sees the result finds its output there too.
-- Returns false when this very result is already there (its acknowledgement was lost), true otherwise; the output that comes
-- with it is kept either way.
create function complete_command(p_client uuid, p_epoch bigint, p_command uuid, p_attempt integer, p_success boolean,
                                 p_result jsonb default null, p_error_code text default null, p_error text default null,
                                 p_session_status session_status default null,
                                 p_typed_at timestamptz default null, p_confirmed_at timestamptz default null,
                                 p_output jsonb default '[]', p_retry text default null, p_finished_at timestamptz default null)
returns boolean language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_command agent_commands;
  v_error_code text := case when not p_success then coalesce(p_error_code, 'failed') end;
  v_session agent_sessions;
  v_next_try timestamptz;
begin
  perform semo.own_client(p_client, p_epoch);
  if exists (select 1 from agent_command_results r where r.command_id = p_command and r.attempt = p_attempt
             and r.client_id = p_client and r.success = p_success and r.error_code is not distinct from v_error_code) then
    perform semo.keep_output(p_client, p_output);
    return false;
  end if;
  v_command := semo.held_command(p_client, p_epoch, p_command, p_attempt);
  v_command.typed_at := coalesce(v_command.typed_at, p_typed_at);
  v_command.confirmed_at := coalesce(v_command.confirmed_at, p_confirmed_at);
  v_command.finished_at := least(clock_timestamp(), greatest(p_finished_at, v_command.claimed_at));  -- clocks differ
  if p_result ? 'turn_id' then
    perform semo.close_turn(v_command, p_result);
    perform semo.keep_cost(v_command, p_result);
    perform semo.learn_of_service(v_command, p_success, p_result, p_error);
  end if;
  if p_output <> '[]' then
    perform semo.keep_output(p_client, p_output);
    if v_command.command_type in ('send_text', 'send_keys') then
      perform semo.show_output(p_client, array[v_command.session_id], p_output);
    end if;
  end if;
  if p_session_status is not null then
    v_session := semo.move_session(p_client, coalesce((p_result ->> 'session_id')::uuid, v_command.session_id), p_session_status);
    update agent_sessions set end_reason = coalesce(end_reason, p_error, 'ended by its last command')
    where id = v_session.id and ended_at is not null;
  end if;
  v_next_try := case when not p_success and p_retry is not null then semo.next_try(v_command, p_retry) end;
  if v_next_try is not null then
    perform semo.keep_result(v_command, false, p_result, v_error_code, p_error);
    perform semo.reopen(v_command, v_next_try);
  else
    perform semo.finish(v_command, case when p_success then 'completed' else 'failed' end::command_status, p_result, v_error_code, p_error);
  end if;
  return true;
end $$;

-- Draws: processing → lost. The owner itself says that it cannot know whether the work began.
create function report_lost(p_client uuid, p_epoch bigint, p_command uuid, p_attempt integer, p_error text)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
begin
  perform semo.finish(semo.held_command(p_client, p_epoch, p_command, p_attempt), 'lost', null, 'lost', p_error);
end $$;

-- Draws: processing → pending (attempt + 1). Only for what was certainly not begun.
create function give_back_command(p_client uuid, p_epoch bigint, p_command uuid, p_attempt integer)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_command agent_commands := semo.held_command(p_client, p_epoch, p_command, p_attempt);
begin
  if v_command.typed_at is not null then
    perform semo.refuse('SO002', format('command %s was typed at %s and cannot be given back', p_command, v_command.typed_at), 'report it lost');
  end if;
  perform semo.reopen(v_command);
end $$;

-- Draws: processing → pending (attempt + 1). A session that was taken for it goes back to its pool; one in which the prompt was typed draws
-- ready, waiting_input, needs_permission, error → creating, as with release_session: nobody gets it before its reset.
create function semo.reopen(p_command agent_commands, p_not_before timestamptz default null)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
begin
  update agent_sessions
  set acquired_by = null,
      status = case when p_command.typed_at is not null and semo.session_may_become(status, 'creating') then 'creating' else status end
  where acquired_by = p_command.id and ended_at is null;
  perform semo.keep_attempt(p_command);
  update agent_commands
  set status = 'pending', offered_at = coalesce(p_not_before, now()), attempt = attempt + 1, claimed_by = null, claim_epoch = null,
      claim_number = null, lease_until = null, claimed_at = null,
      typed_at = null, confirmed_at = null, not_before = p_not_before,
      session_id = case when semo.needs_place(p_command.command_type, null) and p_command.payload ? 'role' then null else session_id end
  where id = p_command.id;
end $$;

-- Draws: processing → pending (attempt + 1), processing → lost, processing → failed: what nobody renews any more.
-- What can be done twice without harm is offered again, three times at most. What types into a terminal never is.
create function rescue_commands()
returns integer language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_command agent_commands;
  v_abandoned agent_commands[];
begin
  perform semo.let_time_pass();
  -- What its client takes over at this very moment, by registering, is left to it.
  select coalesce(array_agg(a order by a.seq), '{}') into v_abandoned from (
    select c.* from agent_commands c join remote_clients r on r.id = c.claimed_by
    where c.status = 'processing' and c.lease_until < now()
    for no key update of c skip locked for key share of r skip locked) a;
  -- Sessions are always locked in the order of their ids.
  perform 1 from agent_sessions where acquired_by in (select id from unnest(v_abandoned)) and ended_at is null order by id for no key update;

  foreach v_command in array v_abandoned loop
    perform semo.rescue(v_command, 'the client that held this vanished');
  end loop;
  update agent_sessions set acquired_by = null where acquired_by in (select id from unnest(v_abandoned)) and ended_at is null;
  return cardinality(v_abandoned);
end $$;

-- The rule by which a command is resolved that nobody works at any more; draws as rescue_commands.
create function semo.rescue(p_command agent_commands, p_why text)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
begin
  if p_command.command_type in ('send_prompt', 'send_text', 'send_keys') then
    perform semo.finish(p_command, 'lost', null, 'lost', p_why || '; whether it was typed cannot be known, so it was not typed again');
  elsif p_command.attempt >= 3 then
    perform semo.finish(p_command, 'failed', null, 'attempts_exhausted', 'three clients in a row vanished while they held this');
  else
    perform semo.reopen(p_command);
  end if;
end $$;

-- A client works for an office no longer (null: for any). What it holds is resolved by the rule of the rescue; what waits for this
-- client alone is offered to all; its sessions are over, and what waits for them with them.
-- Draws: as rescue_commands; pending → cancelled; of its sessions, all that live: → terminated; of role_circuits: open → (no row).
create function semo.cut_off(p_client uuid, p_office uuid default null)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_sessions uuid[];
  v_command agent_commands;
begin
  -- Commands are always locked in the order of their ids, and before sessions, which are in the order of theirs.
  perform 1 from agent_commands c
  where c.status in ('pending', 'processing') and (p_office is null or c.office_id = p_office)
    and (c.claimed_by = p_client or c.client_id = p_client) order by c.id for no key update;
  select coalesce(array_agg(s.id), '{}') into v_sessions from (
    select id from agent_sessions where client_id = p_client and ended_at is null and (p_office is null or office_id = p_office)
    order by id for no key update) s;

  for v_command in
    select * from agent_commands c where c.claimed_by = p_client and c.status = 'processing' and (p_office is null or c.office_id = p_office)
    order by c.seq
  loop
    if v_command.command_type in ('get_output', 'read_work', 'resize', 'cancel', 'terminate', 'release_session') then
      perform semo.finish(v_command, 'failed', null, 'session_ended', 'the client that had this session was shut out');
    else
      perform semo.rescue(v_command, 'the client that held this was shut out');
    end if;
  end loop;

  update agent_commands set status = 'cancelled', finished_at = now()
  where status = 'pending' and session_id = any (v_sessions);
  for v_command in
    update agent_commands set client_id = null
    where status = 'pending' and client_id = p_client and (p_office is null or office_id = p_office) returning *
  loop
    perform semo.hint(v_command.office_id, 'commands', 'command', jsonb_build_object('command_id', v_command.id));
  end loop;

  update session_turns set ended_at = now(), outcome = 'lost' where ended_at is null and session_id = any (v_sessions);
  update agent_sessions
  set status = 'terminated', ended_at = now(), end_reason = 'client_revoked', acquired_by = null, pid = null where id = any (v_sessions);
  delete from role_circuits where client_id = p_client and (p_office is null or office_id = p_office);
  if p_office is null then  -- they are of the machine, whichever office had its turn
    delete from agent_pauses where client_id = p_client;
  end if;
end $$;

revoke execute on function rescue_commands from public, anon, authenticated;
grant execute on function rescue_commands to service_role;
revoke execute on function register_client, heartbeat, sign_off, claim_commands, renew_leases, complete_command, report_lost, give_back_command from public, anon;
grant execute on function register_client, heartbeat, sign_off, claim_commands, renew_leases, complete_command, report_lost, give_back_command to authenticated, service_role;
