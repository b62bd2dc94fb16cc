-- The foundation: users, rooms, notifications with their lanes, and the event log.

-- One row that makes this database unlike any other: the stem of our Matrix transaction ids.
create table installation (
    singleton  boolean primary key default true check (singleton),
    id         text not null default replace(gen_random_uuid()::text, '-', ''),
    created_at timestamptz not null default now()
);
insert into installation default values;

-- ---------------------------------------------------------------------------------------------- the event log

-- Every writer holds this row's lock until it commits, so positions become visible in order and without gaps. A
-- writer that dies gives the lock back; one that stalls is ended by its statement and transaction time-outs.
create table feed_head (
    singleton boolean primary key default true check (singleton),
    position  bigint not null default 0,
    trimmed   bigint not null default 0
) with (fillfactor = 10);
insert into feed_head default values;

create table events (
    position        bigint not null,
    tenant_id       bigint not null,
    audience        text not null,
    kind            text not null,
    notification_id bigint,
    payload         text not null,
    created_at      timestamptz not null default clock_timestamp(),
    primary key (position, created_at)
) partition by range (created_at);
create index events_by_audience on events (audience, position);
-- Catches what no day was made for, so that an append never fails for want of a partition.
create table events_rest partition of events default;

-- What makes an event of the homeserver the same event when it is told again.
create table event_keys (
    key     text primary key,
    seen_at timestamptz not null default now()
);
create index event_keys_by_age on event_keys (seen_at);

-- Appends one event whose writer has no other reason for a batch.
create function tell(of_tenant bigint, to_audience text, of_kind text, with_payload text) returns void
language plpgsql as $$
declare
    next bigint;
begin
    update feed_head set position = position + 1 returning position into next;
    insert into events (position, tenant_id, audience, kind, payload)
    values (next, of_tenant, to_audience, of_kind, with_payload);
    perform pg_notify('feed', '');
end $$;

-- Appends events, each key once. Returns how many were new.
create function append_events(batch jsonb) returns bigint
language plpgsql as $$
declare
    base  bigint;
    added bigint;
begin
    select position into base from feed_head for update;
    with told as materialized (
        select distinct on (coalesce(x.key, x.n::text)) x.*
        from jsonb_to_recordset(batch)
            as x (n integer, tenant_id bigint, audience text, kind text, payload text, key text)
        order by coalesce(x.key, x.n::text), x.n
    ), fresh as materialized (
        select told.*, row_number() over (order by told.n) as rank
        from told
        where told.key is null or not exists (select from event_keys known where known.key = told.key)
    ), keyed as (
        insert into event_keys (key) select key from fresh where key is not null
    )
    insert into events (position, tenant_id, audience, kind, payload)
    select base + rank, tenant_id, audience, kind, payload from fresh;
    get diagnostics added = row_count;
    if added > 0 then
        update feed_head set position = base + added;
        perform pg_notify('feed', '');
    end if;
    return added;
end $$;

-- ---------------------------------------------------------------------------------------------- users and rooms

-- `hub_user_id` is unique over all tenants: the Hub says so, and Matrix accounts depend on it.
create table users (
    hub_user_id             text primary key,
    tenant_id               bigint not null,
    localpart               text not null unique,
    display_name            text not null,
    role                    text not null,
    search_name             text not null,
    search_id               text not null,
    external_client_enabled boolean not null default false,
    account_due             timestamptz default now(),
    account_lease           timestamptz not null default '-infinity',
    account_attempts        integer not null default 0,
    created_at              timestamptz not null default now()
);
create index users_by_tenant on users (tenant_id, display_name);
create index users_due on users (account_due) where account_due is not null;

create table rooms (
    tenant_id      bigint not null,
    kind           text not null,
    key            text not null,
    matrix_room_id text unique,
    claimed_until  timestamptz not null default '-infinity',
    created_at     timestamptz not null default now(),
    primary key (tenant_id, kind, key)
);

create table room_members (
    tenant_id      bigint not null,
    hub_user_id    text not null references users,
    matrix_room_id text not null,
    joined_at      timestamptz not null default now(),
    primary key (tenant_id, hub_user_id, matrix_room_id)
);
create index room_members_by_room on room_members (tenant_id, matrix_room_id);

-- ---------------------------------------------------------------------------------------------- notifications

create table notifications (
    id              bigint generated always as identity primary key,
    tenant_id       bigint not null,
    token           text not null,
    source_app      text not null,
    event_type      text not null,
    title           text not null,
    body            text,
    target_type     text not null,
    entity_type     text,
    entity_id       jsonb,
    target_user     text,
    priority        text not null,
    lane            text not null,
    status          text not null default 'pending',
    reason          text,
    matrix_room_id  text,
    matrix_event_id text,
    attempts        integer not null default 0,
    next_attempt_at timestamptz,
    answer_due      timestamptz,
    announced       boolean not null default true,
    expires_at      timestamptz,
    created_at      timestamptz not null default clock_timestamp()
);
create index notifications_by_tenant on notifications (tenant_id, id);
create index notifications_by_app on notifications (tenant_id, source_app, id);
-- The outbox: what is pending, in the order of its lane.
create index notifications_pending on notifications (lane, id) where status = 'pending';
create index notifications_expiring on notifications (expires_at) where status = 'pending' and expires_at is not null;

-- One row for each room that ever got a notification: when its lane is due, and who drains it. `version` grows with
-- each entry, so that whoever leaves the lane does not overlook what has just come in.
create table outbox_lanes (
    name        text primary key,
    due         timestamptz not null default 'infinity',
    lease_until timestamptz not null default '-infinity',
    attempts    integer not null default 0,
    version     bigint not null default 0
) with (fillfactor = 50);
create index outbox_lanes_due on outbox_lanes (due) where due < 'infinity';

create table idempotency_keys (
    tenant_id       bigint not null,
    token           text not null,
    key             text not null,
    fingerprint     text not null,
    notification_id bigint not null,
    created_at      timestamptz not null default now(),
    primary key (tenant_id, token, key)
);
create index idempotency_keys_by_age on idempotency_keys (created_at);

create table poll_cursors (
    tenant_id   bigint not null,
    hub_user_id text not null,
    reader      text not null,
    position    bigint not null,
    read_at     timestamptz not null default now(),
    primary key (tenant_id, hub_user_id, reader)
);

-- Stores a batch of notifications with their live events, lanes and idempotency keys: all or nothing.
--
-- `place`: an entry may go at once unless something of its lane that was already answered is still pending. Entries
-- whose callers still wait do not count: what is concurrent has no order.
create function accept_notifications(batch jsonb)
returns table (n integer, id bigint, fresh boolean, fingerprint text, place text, held boolean,
               created_at timestamptz, expires_at timestamptz, in_flight double precision)
language plpgsql as $$
#variable_conflict use_column
declare
    base bigint;
    at   timestamptz;
begin
    select position into base from feed_head for update;
    at := clock_timestamp();
    return query
    with draft as materialized (
        select x.*, known.notification_id as known_id, known.fingerprint as known_fingerprint
        from jsonb_to_recordset(batch) as x (
            n integer, tenant_id bigint, token text, source_app text, event_type text, title text, body text,
            target_type text, entity_type text, entity_id jsonb, target_user text, priority text, lane text,
            room text, audience text, payload text, wait double precision, held_for double precision,
            key text, fingerprint text)
        left join idempotency_keys known
            on known.tenant_id = x.tenant_id and known.token = x.token and known.key = x.key
    ), judged as materialized (
        select draft.*,
               draft.target_user is not null and not exists (
                   select from users where users.tenant_id = draft.tenant_id and users.hub_user_id = draft.target_user
               ) as held,
               case
                   when not exists (
                       select from notifications earlier
                       where earlier.lane = draft.lane and earlier.status = 'pending'
                         and (earlier.answer_due is null or earlier.answer_due <= at)
                   ) then 'free'
                   when lane.attempts > 0 and lane.due > at then 'resting'
                   else 'queued'
               end as place
        from draft left join outbox_lanes lane on lane.name = draft.lane
        where draft.known_id is null
    ), entry as materialized (
        select judged.*,
               nextval(pg_get_serial_sequence('notifications', 'id')) as id,
               base + count(*) filter (where not judged.held) over (order by judged.n) as position,
               -- Only what its own caller delivers is left alone by the worker meanwhile.
               case when judged.place = 'free' and judged.wait > 0 and not judged.held
                    then at + judged.wait * interval '1 second' end as answer_due,
               case when judged.held then at + judged.held_for * interval '1 second' end as expires_at
        from (select * from judged order by judged.n) judged
    ), stored as (
        insert into notifications (id, tenant_id, token, source_app, event_type, title, body, target_type,
            entity_type, entity_id, target_user, priority, lane, reason, matrix_room_id, answer_due, announced,
            expires_at, created_at)
        overriding system value
        select entry.id, tenant_id, token, source_app, event_type, title, body, target_type, entity_type, entity_id,
            target_user, priority, lane, case when held then 'recipient_not_provisioned' end, room, answer_due,
            not held, entry.expires_at, at
        from entry
    ), keyed as (
        insert into idempotency_keys (tenant_id, token, key, fingerprint, notification_id)
        select tenant_id, token, key, entry.fingerprint, entry.id from entry where key is not null
    ), told as (
        insert into events (position, tenant_id, audience, kind, notification_id, payload, created_at)
        select position, tenant_id, audience, 'notification', entry.id, payload, at from entry where not held
    ), lanes as (
        insert into outbox_lanes as lane (name, due, version)
        select entry.lane,
               min(case when held then 'infinity' else coalesce(answer_due, at) end),
               1
        from entry group by entry.lane
        on conflict (name) do update
            set due = case when lane.attempts > 0 then lane.due else least(lane.due, excluded.due) end,
                version = lane.version + 1
    ), head as (
        update feed_head set position = base + (select count(*) from entry where not held)
    ), woken as materialized (
        select pg_notify('work', '') from entry
        where not held and answer_due is null and place <> 'resting' limit 1
    )
    select entry.n, entry.id, true, entry.fingerprint, entry.place, entry.held, at, entry.expires_at,
           extract(epoch from entry.answer_due - at)::double precision
    from entry left join woken on true
    union all
    select draft.n, draft.known_id, false, draft.known_fingerprint, 'free', false, at, null::timestamptz,
           null::double precision
    from draft where draft.known_id is not null;
    perform pg_notify('feed', '');
end $$;

-- Stores what the Hub says of a user. New users, and users new to a tenant, get what was held for them.
create function sign_in(of_user text, of_tenant bigint, of_localpart text, of_name text, of_role text,
                        of_search_name text, of_search_id text, of_dm_lane text)
returns setof users
language plpgsql as $$
declare
    before users;
begin
    select * into before from users where hub_user_id = of_user;
    if found and before.tenant_id = of_tenant and before.display_name = of_name and before.role = of_role then
        return next before;
        return;
    end if;
    -- With this lock no notification can be held for a user who is just coming in.
    perform from feed_head for update;
    insert into users (hub_user_id, tenant_id, localpart, display_name, role, search_name, search_id)
    values (of_user, of_tenant, of_localpart, of_name, of_role, of_search_name, of_search_id)
    on conflict (hub_user_id) do nothing;
    if found then
        before := null;
    else
        select * into before from users where hub_user_id = of_user for update;
        update users
        set tenant_id = of_tenant, display_name = of_name, role = of_role, search_name = of_search_name,
            account_due = case when before.tenant_id = of_tenant and before.display_name = of_name
                               then account_due else now() end
        where hub_user_id = of_user;
        if before.tenant_id <> of_tenant then
            delete from room_members where hub_user_id = of_user and tenant_id <> of_tenant;
        end if;
    end if;
    if before.tenant_id is distinct from of_tenant then
        update outbox_lanes set due = now(), attempts = 0, version = version + 1 where name = of_dm_lane;
    end if;
    perform pg_notify('work', '');
    return query select * from users where hub_user_id = of_user;
end $$;

-- Puts a user into a room, and says so in the log. Again is no change.
create function add_member(of_tenant bigint, of_room text, of_user text) returns void
language plpgsql as $$
begin
    if exists (select from room_members
               where tenant_id = of_tenant and hub_user_id = of_user and matrix_room_id = of_room) then
        return;
    end if;
    -- The log's lock always comes first: whoever takes it later could deadlock with a sign-in.
    perform from feed_head for update;
    insert into room_members (tenant_id, hub_user_id, matrix_room_id)
    select of_tenant, hub_user_id, of_room from users where hub_user_id = of_user and tenant_id = of_tenant
    on conflict do nothing;
    if found then
        perform tell(of_tenant, format('t%s:u:%s', of_tenant, of_user), 'room_joined',
                     json_build_object('room_id', of_room)::text);
    end if;
end $$;

-- Takes a user out of a room, and says so in the log. Again is no change.
create function remove_member(of_tenant bigint, of_room text, of_user text) returns void
language plpgsql as $$
begin
    perform from feed_head for update;
    delete from room_members where tenant_id = of_tenant and matrix_room_id = of_room and hub_user_id = of_user;
    if found then
        perform tell(of_tenant, format('t%s:u:%s', of_tenant, of_user), 'room_left',
                     json_build_object('room_id', of_room)::text);
    end if;
end $$;

-- Appends the live event of a notification that was held. Again is no change.
create function announce_notification(of_id bigint, to_audience text, with_payload text) returns void
language plpgsql as $$
declare
    next bigint;
    of_tenant bigint;
begin
    -- Its recipient is there: from now on it waits for nobody but the homeserver, and for that without end.
    update notifications set announced = true, expires_at = null, reason = null
    where id = of_id and not announced
    returning tenant_id into of_tenant;
    if found then
        update feed_head set position = position + 1 returning position into next;
        insert into events (position, tenant_id, audience, kind, notification_id, payload)
        values (next, of_tenant, to_audience, 'notification', of_id, with_payload);
        perform pg_notify('feed', '');
    end if;
end $$;

-- Makes the partitions of the days to come, and drops the days before the retention: no row is deleted one by one.
create function rotate_events(retention interval) returns void
language plpgsql as $$
declare
    today date := (now() at time zone 'utc')::date;
    day   date;
    part  text;
    last  bigint;
begin
    -- Only one process does this at a time; the others have nothing to do.
    if not pg_try_advisory_xact_lock(hashtext('rotate_events')) then return; end if;
    for day in select today + offsets from generate_series(0, 7) as offsets loop
        part := 'events_' || to_char(day, 'YYYYMMDD');
        if to_regclass(part) is null then
            begin
                execute format('create table %I (like events including defaults including constraints)', part);
                execute format('alter table events attach partition %I for values from (%L) to (%L)',
                               part, day::timestamp at time zone 'utc', (day + 1)::timestamp at time zone 'utc');
            exception when check_violation then
                -- Events of that day lie in the rest already: they stay there.
                null;
            end;
        end if;
    end loop;
    for part in
        select child.relname from pg_inherits
        join pg_class child on child.oid = pg_inherits.inhrelid
        where pg_inherits.inhparent = 'events'::regclass and child.relname ~ '^events_\d{8}$'
          and to_date(right(child.relname, 8), 'YYYYMMDD') + 1 <= (now() - retention) at time zone 'utc'
        order by child.relname
    loop
        execute format('select max(position) from %I', part) into last;
        update feed_head set trimmed = greatest(trimmed, coalesce(last, 0));
        execute format('drop table %I', part);
    end loop;
    with gone as (
        delete from events_rest where ctid in (
            select ctid from events_rest where created_at < now() - retention order by position limit 5000)
        returning position
    )
    update feed_head set trimmed = greatest(trimmed, (select coalesce(max(position), 0) from gone))
    where exists (select from gone);
end $$;

select rotate_events(interval '7 days');
