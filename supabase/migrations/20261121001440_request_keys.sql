-- What was asked for under an Idempotency-Key is made once, where the thing that is made has no place for its key.

create table request_keys (
  office_id uuid not null references offices on delete cascade,
  what      text not null check (length(what) <= 100),  -- 'spec_task', 'jobs PLAN': a key stands for one thing of one kind
  key       text not null check (length(key) between 1 and 200),
  digest    text not null,                               -- of what was asked for
  made      jsonb,                                       -- the answer that is given again
  at        timestamptz not null default now(),
  primary key (office_id, what, key)
);

-- What was made under a key before; null when the caller is the first and now makes it, in this transaction. Whoever asks with the same
-- key meanwhile waits for that. SO002 when the key was used for another request.
create function semo.made_before(p_office uuid, p_what text, p_key text, p_digest text)
returns jsonb language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_kept request_keys;
begin
  if p_key is null then
    return null;
  end if;
  insert into request_keys (office_id, what, key, digest) values (p_office, p_what, p_key, coalesce(p_digest, '')) on conflict do nothing;
  if found then
    return null;
  end if;
  select * into v_kept from request_keys where office_id = p_office and what = p_what and key = p_key;
  if v_kept.digest <> coalesce(p_digest, '') then
    perform semo.refuse('SO002', 'This Idempotency-Key was used before, for another request.', 'use a new key for each new request');
  end if;
  return v_kept.made;
end $$;

create function semo.keep_made(p_office uuid, p_what text, p_key text, p_made jsonb)
returns void language sql security definer set search_path = public, pg_temp as $$
  update request_keys set made = p_made where p_key is not null and office_id = p_office and what = p_what and key = p_key
$$;

alter table request_keys enable row level security;
revoke all on request_keys from anon, authenticated, service_role;
revoke execute on function semo.made_before, semo.keep_made from public;
