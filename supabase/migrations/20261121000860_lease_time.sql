-- The time that leases run in: only the time in which somebody could have renewed them, by a clock that nobody sets.

-- When somebody last saw the time pass: every heartbeat, every registration, and the office server's upkeep.
create table semo.lease_time (
  only_row boolean primary key default true check (only_row),
  seen_at  timestamptz                                          -- null: nobody has looked yet
);
insert into semo.lease_time default values;
alter table semo.lease_time enable row level security;
revoke all on semo.lease_time from anon, authenticated, service_role;

-- A database that nobody could reach, or whose clock was set, must not cost leases: where more time is gone since somebody looked
-- than ever passes between two looks, or less than none, all leases are moved along with it. Draws no arrow.
create function semo.let_time_pass()
returns void language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_seen_at timestamptz;
  v_gap interval;
begin
  select seen_at into v_seen_at from semo.lease_time;
  v_gap := now() - v_seen_at;
  if v_gap between interval '0' and interval '1 second' then
    return;
  end if;
  -- After no more than a usual pause nothing is moved, and nobody waits for whoever notes it.
  if v_gap between interval '-5 seconds' and interval '15 seconds' then
    update semo.lease_time set seen_at = now()
    where seen_at in (select seen_at from semo.lease_time where seen_at = v_seen_at for no key update skip locked);
    return;
  end if;
  -- Whoever comes second waits until the first one has moved the leases.
  update semo.lease_time set seen_at = now() where seen_at is not distinct from v_seen_at;
  if not found or v_gap is null then
    return;
  end if;
  -- Commands are always locked in the order of their ids.
  perform 1 from agent_commands where status = 'processing' order by id for no key update;
  update agent_commands set lease_until = lease_until + v_gap where status = 'processing';
end $$;
