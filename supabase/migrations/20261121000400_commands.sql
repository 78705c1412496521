-- What the office asks for, and what came of it. Inserting a row is all that asking takes.

create type command_type as enum (
  'create_session', 'send_prompt', 'send_text', 'send_keys', 'get_output',
  'resize', 'cancel', 'terminate', 'release_session',
  'read_documents', 'write_documents', 'merge_work',           -- on the branch of a spec task, in no session
  'check_work', 'read_work',                                   -- in a session's worktree
  'publish_branch', 'follow_pull_request', 'merge_branch');    -- of a branch, in no session, on the machine that client_id names

create type command_status as enum (
  'pending',     -- inserted; nobody has taken it          → processing, expired, cancelled
  'processing',  -- one client holds it until lease_until  → completed, failed, lost, pending (rescued, given back or tried again, attempt + 1)
  'completed',   -- result row exists, success             final
  'failed',      -- result row exists, error_code          final
  'lost',        -- result row exists; the owner vanished at an ambiguous moment, a person or a policy decides  final
  'expired',     -- its deadline passed while nobody held it                                                    final
  'cancelled'    -- withdrawn while nobody held it                                                              final
);

create table agent_commands (
  id              uuid primary key default gen_random_uuid(),
  seq             bigint generated always as identity unique,  -- the order of arrival
  office_id       uuid not null references offices on delete cascade,
  client_id       uuid references remote_clients,  -- the client it is meant for; null: whoever can
  session_id      uuid,                            -- → agent_sessions
  command_type    command_type not null,
  payload         jsonb not null default '{}',
  status          command_status not null default 'pending',
  priority        integer not null default 0 check (priority between -100 and 100),  -- higher goes first
  attempt         integer not null default 1,  -- rises with every offer, whether the one before was tried or only given back
  max_attempts    integer not null default 1,  -- how often it may be tried: 2 or 3 lets a prompt be typed again that timed out or whose agent died
  not_before      timestamptz,                 -- the pause before another try
  claimed_by      uuid references remote_clients,
  claim_epoch     bigint,
  claim_number    bigint,                      -- which of that process's claims took it
  lease_until     timestamptz,
  deadline        timestamptz,
  idempotency_key text check (length(idempotency_key) between 1 and 200),
  author          text,
  created_at      timestamptz not null default now(),
  offered_at      timestamptz not null default now(),  -- when this attempt could be taken first
  claimed_at      timestamptz,
  typed_at        timestamptz,
  confirmed_at    timestamptz,
  finished_at     timestamptz,                 -- when the work was over, as its client says, or the command without it
  reported_at     timestamptz,                 -- when the office had the result
  persona_version integer,                     -- what its role's persona showed when a prompt was claimed
  unique (office_id, idempotency_key),
  check (max_attempts between 1 and 3)
);
create index agent_commands_waiting    on agent_commands (office_id, priority desc, seq) where status = 'pending';
create index agent_commands_leased     on agent_commands (lease_until) where status = 'processing';
create index agent_commands_held       on agent_commands (claimed_by) where status = 'processing';
create index agent_commands_in_session on agent_commands (session_id, seq) where status in ('pending', 'processing');
create index agent_commands_looking    on agent_commands (finished_at) where command_type = 'read_work';
create index agent_commands_history    on agent_commands (office_id, seq desc);

create table agent_command_results (
  command_id uuid not null references agent_commands on delete cascade,
  attempt    integer not null,
  office_id  uuid not null references offices on delete cascade,
  client_id  uuid references remote_clients,
  success    boolean not null,
  result     jsonb,
  error_code text,
  error      text,
  created_at timestamptz not null default now(),
  primary key (command_id, attempt),
  check (success = (error_code is null))
);
create index agent_command_results_office on agent_command_results (office_id, created_at desc);

-- Two lanes per session, each in order: what steers a running prompt does not wait behind it.
create function semo.lane(p_type command_type)
returns text language sql immutable as $$
  select case when p_type in ('create_session', 'send_prompt', 'release_session', 'check_work') then 'work' else 'control' end
$$;

-- Commands that need a session of their own, and so a free place on a client.
create function semo.needs_place(p_type command_type, p_session uuid)
returns boolean language sql immutable as $$
  select p_type = 'create_session' or (p_type = 'send_prompt' and p_session is null)
$$;

-- What concerns a branch or a repository, and no terminal.
create function semo.in_no_session()
returns command_type[] language sql immutable as $$
  select '{read_documents,write_documents,merge_work,publish_branch,follow_pull_request,merge_branch}'::command_type[]
$$;

-- What each type takes. Kinds: text; keystrokes (text that may be blank); slug (one part of a path: letters, digits, . _ -); name (also / : @ [ ]); number;
-- integer; flag; line (a text on one line, counted in characters); merge_method; documents (names of documents and what is in each); keys;
-- and lists: slugs, lines.
-- `lowest` and `highest` bound a number, or the length of a text in bytes, or how many keys, documents or entries of a list.
create table semo.payload_fields (
  command_type command_type not null,
  field        text not null,
  kind         text not null check (kind in (
                 'text', 'keystrokes', 'slug', 'name', 'number', 'integer', 'flag', 'line', 'merge_method', 'documents', 'keys', 'slugs', 'lines')),
  required     boolean not null,
  lowest       numeric not null,
  highest      numeric not null,
  primary key (command_type, field)
);
insert into semo.payload_fields values
  ('create_session', 'role',      'slug',    true,  1, 32),
  ('create_session', 'agent',     'slug',    false, 1, 64),
  ('create_session', 'model',     'name',    false, 1, 100),
  ('create_session', 'mcp',       'slug',    false, 1, 64),
  ('create_session', 'resume',    'name',    false, 1, 100),
  ('create_session', 'task',      'slug',    false, 1, 64),
  ('create_session', 'base',      'name',    false, 1, 200),
  ('create_session', 'cols',      'integer', false, 20, 500),
  ('create_session', 'rows',      'integer', false, 5, 300),
  ('send_prompt',    'text',      'text',    true,  1, 262144),
  ('send_prompt',    'timeout_s', 'number',  false, 1, 86400),
  ('send_prompt',    'role',      'slug',    false, 1, 32),
  ('send_prompt',    'agent',     'slug',    false, 1, 64),
  ('send_text',      'text',      'keystrokes', true, 1, 262144),
  ('send_keys',      'keys',      'keys',    true,  1, 100),
  ('get_output',     'after',     'integer', false, 0, 9007199254740991),
  ('get_output',     'limit',     'integer', false, 1, 1048576),
  ('resize',         'cols',      'integer', true,  20, 500),
  ('resize',         'rows',      'integer', true,  5, 300),
  ('read_documents',  'spec',      'slug',    true,  1, 48),
  ('write_documents', 'spec',      'slug',    true,  1, 48),
  ('write_documents', 'documents', 'documents', true, 1, 200),
  ('write_documents', 'message',   'text',    true,  1, 2000),
  ('write_documents', 'base',      'name',    false, 1, 200),
  ('merge_work',      'spec',      'slug',    true,  1, 48),
  ('merge_work',      'branch',    'name',    true,  1, 200),
  ('merge_work',      'base',      'name',    false, 1, 200),
  ('check_work',     'checks',          'slugs',  false, 0, 20),
  ('check_work',     'must_change',     'lines',  false, 0, 50),
  ('check_work',     'must_not_change', 'lines',  false, 0, 50),
  ('check_work',     'commit',          'flag',   false, 0, 1),
  ('check_work',     'since',           'name',   false, 1, 64),
  ('check_work',     'timeout_s',       'number', false, 1, 86400),
  ('read_work',      'picture',         'line',   false, 1, 200),
  ('publish_branch', 'branch',    'name',    true,  1, 200),
  ('publish_branch', 'base',      'name',    false, 1, 200),
  ('publish_branch', 'title',     'line',    false, 1, 200),
  ('publish_branch', 'body',      'text',    false, 1, 65536),
  ('publish_branch', 'labels',    'lines',   false, 0, 20),
  ('follow_pull_request', 'branch', 'name',  true,  1, 200),
  ('follow_pull_request', 'base',   'name',  false, 1, 200),
  ('merge_branch',   'branch',    'name',    true,  1, 200),
  ('merge_branch',   'base',      'name',    false, 1, 200),
  ('merge_branch',   'method',    'merge_method', false, 1, 10),
  ('merge_branch',   'keep_worktree', 'flag', false, 0, 1);

create function semo.field_problem(f semo.payload_fields, v jsonb)
returns text language plpgsql immutable as $$
declare
  v_number numeric;
  v_bad text;
begin
  if f.kind in ('text', 'keystrokes', 'slug', 'name') then
    if jsonb_typeof(v) <> 'string' then return format('must be a text, not %s', jsonb_typeof(v)); end if;
    if v #>> '{}' = '' or (f.kind <> 'keystrokes' and v #>> '{}' !~ '\S') then return 'must not be empty'; end if;
    if octet_length(v #>> '{}') > f.highest then
      return format('is %s bytes long; at most %s are taken', octet_length(v #>> '{}'), f.highest);
    end if;
    if f.kind = 'slug' and (v #>> '{}' !~ '^[A-Za-z0-9][A-Za-z0-9._-]*$' or v #>> '{}' ~ '\.\.|\.$|\.lock$') then
      return 'may hold only letters, digits and . _ -, begins with a letter or digit, and holds no ".."';
    end if;
    if f.kind = 'name' and (v #>> '{}' !~ '^[A-Za-z0-9][A-Za-z0-9._/:@[\]-]*$' or v #>> '{}' ~ '\.\.') then
      return 'may hold only letters, digits and . _ / : @ [ ] -, begins with a letter or digit, and holds no ".."';
    end if;
  elsif f.kind in ('number', 'integer') then
    if jsonb_typeof(v) <> 'number' then return format('must be a number, not %s', jsonb_typeof(v)); end if;
    v_number := (v #>> '{}')::numeric;
    if f.kind = 'integer' and v_number <> trunc(v_number) then return 'must be a whole number'; end if;
    if v_number not between f.lowest and f.highest then return format('must be between %s and %s', f.lowest, f.highest); end if;
  elsif f.kind = 'documents' then
    if jsonb_typeof(v) <> 'object' or (select count(*) from jsonb_object_keys(v)) not between f.lowest and f.highest then
      return format('must be an object of %s to %s documents', f.lowest, f.highest);
    end if;
    select k into v_bad from jsonb_object_keys(v) as k 
    where k !~ '^([a-z][A-Za-z0-9_-]{0,59}/)?[A-Za-z0-9][A-Za-z0-9_-]{0,99}\.(md|json)$' limit 1;
    if v_bad is not null then return format('does not take a document of the name "%s"', v_bad); end if;
    select d.key into v_bad from jsonb_each(v) as d where jsonb_typeof(d.value) <> 'string' or octet_length(d.value #>> '{}') > 262144 limit 1;
    if v_bad is not null then return format('must hold a text of at most 262144 bytes as "%s"', v_bad); end if;
    if octet_length(v::text) > 4194304 then return 'is larger than 4194304 bytes'; end if;
  elsif f.kind = 'flag' then
    if jsonb_typeof(v) <> 'boolean' then return format('must be true or false, not %s', jsonb_typeof(v)); end if;
  elsif f.kind = 'line' then
    if jsonb_typeof(v) <> 'string' then return format('must be a text, not %s', jsonb_typeof(v)); end if;
    if v #>> '{}' !~ '\S' then return 'must not be empty'; end if;
    if v #>> '{}' ~ '[\x01-\x1f\x7f]' then return 'must be one line of printable characters'; end if;
    if length(v #>> '{}') > f.highest then
      return format('is %s characters long; at most %s are taken', length(v #>> '{}'), f.highest);
    end if;
  elsif f.kind = 'merge_method' then
    if v #>> '{}' is null or v not in ('"merge"', '"squash"', '"rebase"') then return 'must be merge, squash or rebase'; end if;
  elsif f.kind in ('slugs', 'lines') then
    if jsonb_typeof(v) <> 'array' or jsonb_array_length(v) not between f.lowest and f.highest then
      return format('must be a list of at most %s texts', f.highest);
    end if;
    select k::text into v_bad from jsonb_array_elements(v) as k
    where jsonb_typeof(k) <> 'string'
       or (f.kind = 'slugs' and (k #>> '{}' !~ '^[A-Za-z0-9][A-Za-z0-9._-]*$' or length(k #>> '{}') > 64))
       or (f.kind = 'lines' and (k #>> '{}' !~ '\S' or k #>> '{}' ~ '[\x01-\x1f\x7f]' or length(k #>> '{}') > case f.field when 'labels' then 50 else 200 end))
    limit 1;
    if v_bad is not null then return format('holds %s, which is no %s', v_bad, case f.kind when 'slugs' then 'name' else 'line of text' end); end if;
  else
    if jsonb_typeof(v) <> 'array' or jsonb_array_length(v) not between f.lowest and f.highest then
      return format('must be a list of %s to %s keys', f.lowest, f.highest);
    end if;
    select k #>> '{}' into v_bad from jsonb_array_elements(v) as k
    where jsonb_typeof(k) <> 'string' or k #>> '{}' !~
      '^(ctrl-[a-z]|alt-[a-z]|enter|escape|tab|shift-tab|space|backspace|delete|insert|up|down|left|right|home|end|page-up|page-down|f([1-9]|1[0-2])|[!-~])$'
    limit 1;
    if v_bad is not null then return format('does not know the key "%s"', v_bad); end if;
  end if;
  return null;
end $$;

-- What is wrong with a payload, in words; null when nothing is.
create function semo.payload_problem(p_type command_type, p_payload jsonb, p_session uuid)
returns text language plpgsql stable as $$
declare
  v_problem text;
begin
  if jsonb_typeof(p_payload) <> 'object' then
    return format('%s: the payload must be an object, not %s', p_type, jsonb_typeof(p_payload));
  end if;

  select format('%s: unknown field "%s"', p_type, k) into v_problem from jsonb_object_keys(p_payload) as k
  where not exists (select 1 from semo.payload_fields f where f.command_type = p_type and f.field = k) order by k limit 1;
  if v_problem is not null then return v_problem; end if;

  select format('%s: "%s" is missing', p_type, f.field) into v_problem from semo.payload_fields f
  where f.command_type = p_type and f.required and coalesce(p_payload -> f.field, 'null') = 'null' order by f.field limit 1;
  if v_problem is not null then return v_problem; end if;

  select format('%s: "%s" %s', p_type, f.field, semo.field_problem(f, p_payload -> f.field)) into v_problem
  from semo.payload_fields f
  where f.command_type = p_type and coalesce(p_payload -> f.field, 'null') <> 'null'
    and semo.field_problem(f, p_payload -> f.field) is not null order by f.field limit 1;
  if v_problem is not null then return v_problem; end if;

  if p_type = 'create_session' and p_session is not null then
    return 'create_session: makes a session of its own and takes no session_id';
  elsif p_type = 'send_prompt' and p_session is null and coalesce(p_payload ->> 'role', '') = '' then
    return 'send_prompt: needs a session_id, or a "role" to take a session of';
  elsif p_type = 'send_prompt' and p_session is not null and (p_payload ->> 'role' is not null or p_payload ->> 'agent' is not null) then
    return 'send_prompt: takes "role" and "agent" only without a session_id';
  elsif p_session is not null and p_type = any (semo.in_no_session()) then
    return format('%s: is done in no session and takes no session_id', p_type);
  elsif p_session is null and p_type not in ('create_session', 'send_prompt') and p_type <> all (semo.in_no_session()) then
    return format('%s: needs a session_id', p_type);
  end if;
  return null;
end $$;

alter table agent_commands        enable row level security;
alter table agent_command_results enable row level security;
alter table semo.payload_fields   enable row level security;

-- Nobody updates a command by hand: every transition is a function.
revoke all on agent_commands, agent_command_results from anon, authenticated, service_role;
revoke all on sequence agent_commands_seq_seq from anon, authenticated, service_role;
grant select on agent_commands, agent_command_results to authenticated, service_role;
grant select on semo.payload_fields to authenticated, service_role;
grant insert (office_id, client_id, session_id, command_type, payload, priority, deadline, idempotency_key, max_attempts) on agent_commands to authenticated;
grant insert on agent_commands to service_role;
grant delete on agent_commands to service_role;

create policy "everybody reads what a payload may hold" on semo.payload_fields
  for select to authenticated using (true);
create policy "members see the commands" on agent_commands
  for select to authenticated using (semo.has_role(office_id, 'viewer'));
create policy "a client sees what it may take" on agent_commands
  for select to authenticated using (
    semo.client_serves(office_id) and (client_id is null or client_id = semo.calling_client()));
create policy "operators ask for work" on agent_commands
  for insert to authenticated with check (semo.has_role(office_id, 'operator'));
create policy "members see the results" on agent_command_results
  for select to authenticated using (semo.has_role(office_id, 'viewer'));
