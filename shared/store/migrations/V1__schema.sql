-- The schema: tables, indexes, constraints, sequences and composite types. Views, functions and triggers
-- stand in `../functions/`.
--
-- Keys and indexes of tenant data begin with the tenant. Identifiers of the homeserver are unique over all
-- tenants.

-- The files of `../functions/` as they were last applied.
create table applied_functions (
    name       text primary key,
    sha256     text not null,
    -- The release that applied the file. An older release does not replace the functions of a newer one.
    release    integer[] not null,
    applied_at timestamptz not null default now()
);

-- One row that identifies this database: the prefix of our Matrix transaction ids.
create table installation (
    singleton  boolean primary key default true check (singleton),
    id         text not null default replace(gen_random_uuid()::text, '-', ''),
    created_at timestamptz not null default now()
);
insert into installation default values;

-- Every writer of events holds the lock of this row until it commits, so positions become visible in order
-- and without gaps. The lock of a writer that stalls ends with its statement and transaction time-outs.
create table feed_head (
    singleton boolean primary key default true check (singleton),
    -- The position of the last event.
    position  bigint not null default 0,
    -- The last position that was dropped at the end of its retention.
    trimmed   bigint not null default 0
) with (fillfactor = 10);
insert into feed_head default values;

-- The copy of the event log in another store, and the relay that writes it; no row before a relay first ran.
create table feed_copy (
    singleton   boolean primary key default true check (singleton),
    -- The prefix of all that belongs to the copy. A database that was restored gets another one.
    id          text not null default replace(gen_random_uuid()::text, '-', ''),
    relay       text not null,
    lease_until timestamptz not null,
    -- The shortest time for which the events of the copy are kept.
    retention   interval not null,
    -- The copy has no head beyond this position. Otherwise it is the copy of another log.
    announced   bigint not null default 0,
    -- The copy has all events up to this position.
    relayed     bigint not null default 0
) with (fillfactor = 10);

-- A room as a member saw it when its event was appended.
create type room_snapshot as (
    display_name text, room_type text, topic text, entity_type text, entity_id text, last_message_ts timestamptz,
    unread_count bigint, last_message text, encrypted boolean, mention_count bigint, muted boolean,
    read_event_id text);

create table events (
    position        bigint not null,
    tenant_id       bigint not null,
    audience        text not null,
    kind            text not null,
    notification_id bigint,
    -- When the notification was stored (`notification`).
    notification_created_at timestamptz,
    -- The room that the event is about; null if there is none, or if it is still to be created.
    room_id         text,
    -- The fields of the event, as the text of a JSON object; null if they stand in the next five columns.
    payload         text,
    -- The number of unread messages that are left (`unread`).
    unread_count    bigint,
    -- The number of them that mention the user (`unread`).
    mention_count   bigint,
    -- The new role of the user (`role_changed`).
    role            text,
    -- The reason of `room_left`: `closed`; null if only this membership has ended.
    leave_reason    text,
    -- The room (`room_joined`, `room_left`); null if it is not registered.
    room            room_snapshot,
    -- The message or reaction whose content the payload holds: a redaction finds the event by it.
    about           text,
    -- Processes drop the encoded frames about the same message when they read such an event.
    is_redaction    boolean not null default false,
    created_at      timestamptz not null default clock_timestamp(),
    primary key (position, created_at)
) partition by range (created_at);
create index events_by_audience on events (audience, position);
create index events_by_about on events (about) where about is not null;
-- Holds the events of days without a partition, so that an append never fails for want of one.
create table events_default partition of events default;

-- The ids of ingested homeserver events: each has its effect once.
create table event_keys (
    key     text primary key,
    seen_at timestamptz not null default now()
);
create index event_keys_by_age on event_keys (seen_at);

-- Redacted events: an event that arrives after its redaction is not stored or published.
create table redacted_events (
    event_id       text not null,
    matrix_room_id text not null,
    redacted_at    timestamptz not null default now(),
    primary key (event_id, matrix_room_id)
);
create index redacted_events_by_age on redacted_events (redacted_at);

-- The positions of readers that keep no cursor themselves.
create table poll_cursors (
    tenant_id   bigint not null,
    hub_user_id text not null,
    reader      text not null,
    position    bigint not null,
    read_at     timestamptz not null default now(),
    primary key (tenant_id, hub_user_id, reader)
);

-- `hub_user_id` is unique over all tenants: the Hub guarantees it, and Matrix accounts depend on it.
create table users (
    hub_user_id             text primary key,
    tenant_id               bigint not null,
    localpart               text not null unique,
    -- The name in the newest token of the Hub, and the name that people see.
    hub_name                text not null,
    display_name            text not null,
    -- Whether an administrator gave `display_name`; otherwise it is `hub_name`.
    is_renamed              boolean not null default false,
    role                    text not null,
    -- The two names and the id, folded for search.
    search_hub_name         text not null,
    search_name             text not null,
    search_id               text not null,
    -- `iat` of the newest token of the Hub; null while no token had one.
    token_issued_at         timestamptz,
    external_client_enabled boolean not null default false,
    -- Whether the account of the localpart is ours; `taken` if somebody else created it.
    account_state           text not null default 'pending' check (account_state in ('pending', 'ours', 'taken')),
    -- When the account is to be provisioned; null if it is.
    account_due             timestamptz default now(),
    account_lease           timestamptz not null default '-infinity',
    account_attempts        integer not null default 0,
    -- Tokens of this service that were issued until then are void.
    logged_out_at           timestamptz,
    -- Grows with each change that an administrator sees (`users_versioned`).
    version                 bigint not null default 1,
    -- When the user last called, to some minutes.
    last_seen_at            timestamptz,
    created_at              timestamptz not null default now()
);
-- With the id, so that a search for a part of either reads this index alone.
create index users_by_search_name on users (tenant_id, search_name collate "C", hub_user_id) include (search_id);
create index users_by_search_id on users (tenant_id, search_id collate "C");
create index users_by_role on users (tenant_id, role, search_name collate "C", hub_user_id);
create index users_without_account on users (tenant_id, account_state, search_name collate "C", hub_user_id)
    where account_state <> 'ours';
create index users_with_external_access on users (tenant_id, search_name collate "C", hub_user_id)
    where external_client_enabled;
create index users_due on users (account_due) where account_due is not null;
create index users_due_by_tenant on users (tenant_id, account_due) where account_due is not null;

-- Passwords for other Matrix clients, and users whose devices are still to be logged out.
create table external_access (
    hub_user_id text primary key references users,
    -- Grows with each change, so that a worker with an older state notices it.
    generation  bigint not null default 1,
    -- Encrypted by the service; null while there is none.
    key_id      text,
    password    bytea,
    -- Whether the homeserver has this password.
    applied     boolean not null default false,
    -- When the devices are to be logged out and the password replaced; null if nothing is to be revoked.
    revoke_due  timestamptz,
    lease_until timestamptz not null default '-infinity',
    attempts    integer not null default 0
);
create index external_access_due on external_access (revoke_due) where revoke_due is not null;

-- The order in which rooms had their last message or were created. Clocks do not decide it.
create sequence room_activity;

create table rooms (
    tenant_id          bigint not null,
    kind               text not null,
    key                text not null,
    -- Null while a worker creates the room.
    matrix_room_id     text unique,
    claimed_until      timestamptz not null default '-infinity',
    name               text,
    -- Shown while the room has no name.
    default_name       text not null default '',
    topic              text,
    created_by         text,
    -- The subject of an entity room; the key holds it escaped.
    entity_type        text,
    entity_id          text,
    -- The two users of a direct chat.
    first_user         text,
    second_user        text,
    -- The number of messages that are not redacted.
    message_count      bigint not null default 0,
    last_event_id      text,
    last_message       text,
    last_message_ts    timestamptz,
    activity           bigint not null default nextval('room_activity'),
    -- No message is sent into an encrypted room.
    encrypted          boolean not null default false,
    -- The homeserver decides what a member may read of the time before they joined.
    history_restricted boolean not null default false,
    created_at         timestamptz not null default now(),
    primary key (tenant_id, kind, key)
);
alter sequence room_activity owned by rooms.activity;
create index rooms_directory on rooms (tenant_id, kind) where matrix_room_id is not null;

create table room_members (
    tenant_id       bigint not null,
    hub_user_id     text not null references users,
    matrix_room_id  text not null,
    -- The number of messages of the room that the member has read: `rooms.message_count - read_count` are unread.
    read_count      bigint not null default 0,
    -- The last message that the member has read; null if there is none, or if it is not known.
    read_event_id   text,
    -- Whether the member has switched off the sounds of the room.
    muted           boolean not null default false,
    joined_at       timestamptz not null default clock_timestamp(),
    -- The member's streams do not carry room events up to this position.
    joined_position bigint not null default 0,
    primary key (tenant_id, hub_user_id, matrix_room_id)
);
create index room_members_by_room on room_members (tenant_id, matrix_room_id);

-- Users whose rights have changed since a relay last wrote them to the copy of the event log. At most one row for
-- each user, also where there is no copy.
create table uncopied_users (
    hub_user_id text primary key,
    -- Another number for each change.
    change      bigint not null generated always as identity
);

-- Memberships that have ended here and that the homeserver still has to end.
create table pending_leaves (
    hub_user_id    text not null references users,
    matrix_room_id text not null,
    due            timestamptz not null default now(),
    lease_until    timestamptz not null default '-infinity',
    attempts       integer not null default 0,
    primary key (hub_user_id, matrix_room_id)
);
create index pending_leaves_due on pending_leaves (due);

-- Rooms that were replaced (`m.room.tombstone`).
create table former_rooms (
    matrix_room_id     text primary key,
    tenant_id          bigint not null,
    -- The direct successor, and the room that is in use now.
    replaced_by        text not null,
    current            text not null,
    history_restricted boolean not null
);
create index former_rooms_by_successor on former_rooms (replaced_by);
create index former_rooms_by_current on former_rooms (current);

-- Rooms that an administrator closed. They are never registered or ingested again.
create table closed_rooms (
    matrix_room_id text primary key,
    tenant_id      bigint not null,
    -- The key that the room had.
    kind           text not null,
    key            text not null,
    closed_at      timestamptz not null default clock_timestamp(),
    -- Whether another room may get the alias of the key.
    alias_freed    boolean not null default false,
    -- When the homeserver is to close the room; null if it has.
    due            timestamptz default now(),
    lease_until    timestamptz not null default '-infinity',
    attempts       integer not null default 0
);
create index closed_rooms_due on closed_rooms (due) where due is not null;
create index closed_rooms_by_alias on closed_rooms (tenant_id, kind, key) where not alias_freed;

-- Rooms outside the service that have got the notice that not all their members can read them here.
create table warned_rooms (
    matrix_room_id text primary key,
    warned_at      timestamptz not null default now()
);

-- At least the last fifty messages of each room, and those among the last thousand that mention somebody,
-- without their edits. `number` is the `rooms.message_count`
-- of the message; a redaction closes the gap.
create table recent_messages (
    tenant_id      bigint not null,
    matrix_room_id text not null,
    event_id       text not null,
    number         bigint not null,
    summary        text not null,
    -- The mentioned users; null if there are none.
    mentioned      text[],
    -- Whether it mentions all members.
    mentions_room  boolean not null default false,
    -- By our clock: the sender decides the homeserver's timestamp.
    received_at    timestamptz not null default clock_timestamp(),
    primary key (tenant_id, matrix_room_id, event_id)
);
create index recent_messages_by_number on recent_messages (tenant_id, matrix_room_id, number);
create index recent_mentions on recent_messages (tenant_id, matrix_room_id, number)
    where mentions_room or mentioned is not null;

-- Edits of messages. Only those by the message's own sender count; the reader of the history checks the
-- sender.
create table message_edits (
    edit_event_id  text primary key,
    tenant_id      bigint not null,
    matrix_room_id text not null,
    event_id       text not null,
    sender         text not null,
    edited_at      timestamptz not null,
    content        jsonb not null,
    summary        text not null,
    -- The text that search finds, and its form without case and accents.
    text           text not null,
    folded         text not null
);
create index message_edits_by_event on message_edits (event_id, sender, edited_at);
create index message_edits_by_room on message_edits (matrix_room_id);

-- The texts of messages that search finds: those of people, from `SEARCH_RETENTION_DAYS` on, as last edited. `id`
-- is the order of their arrival.
create table message_texts (
    id              bigint generated always as identity primary key,
    tenant_id       bigint not null,
    matrix_room_id  text not null,
    event_id        text not null,
    sender          text not null,
    -- The homeserver's timestamp, and the time by our clock.
    sent_at         timestamptz not null,
    received_at     timestamptz not null default clock_timestamp(),
    text            text not null,
    -- The text without case and accents.
    folded          text not null,
    -- The same of the message without its edits; null if it has none.
    original        text,
    original_folded text
);
create unique index message_texts_by_event on message_texts (tenant_id, event_id);
create index message_texts_by_room on message_texts (tenant_id, matrix_room_id, id);
-- Finds parts of words. Its entries are added in bulk (`tidy_message_texts`), since one by one they would cost a
-- message more than all else. A database without this extension has no such index: a search then looks at a
-- limited number of the latest messages in each call.
do $$
begin
    create extension if not exists pg_trgm;
    create index message_texts_by_part on message_texts using gin (folded gin_trgm_ops);
exception when undefined_file or insufficient_privilege or feature_not_supported then
    raise warning 'no index for the search in messages: %', sqlerrm;
end $$;

-- Reactions to messages. A user who has reacted twice with one key counts once.
create table reactions (
    reaction_event_id text primary key,
    tenant_id         bigint not null,
    matrix_room_id    text not null,
    event_id          text not null,
    sender            text not null,
    key               text not null,
    -- By our clock: the sender decides the homeserver's timestamp.
    received_at       timestamptz not null default clock_timestamp()
);
create index reactions_by_event on reactions (event_id, key, sender);
create index reactions_by_room on reactions (matrix_room_id);

-- Messages with files. The members of the room may read a file that its owner posted.
create table media (
    tenant_id      bigint not null,
    event_id       text not null,
    matrix_room_id text not null,
    sender         text not null,
    mxc            text not null,
    filename       text not null,
    mimetype       text,
    -- By our clock: the sender decides the homeserver's timestamp.
    received_at    timestamptz not null default clock_timestamp(),
    primary key (tenant_id, event_id)
);
create index media_by_file on media (tenant_id, mxc);
create index media_by_room on media (tenant_id, matrix_room_id);

-- The owner of each file: its uploader, else the sender of the earliest message with it. A redaction does not
-- remove the owner, so nobody else becomes the owner of a redacted file.
create table media_owners (
    mxc   text primary key,
    owner text not null,
    -- The homeserver's timestamp of that message; -infinity for a known upload.
    since timestamptz not null
);

-- The homeserver's `/sync` as the bot: how far it was read, and the worker that reads it.
create table reconciliation (
    singleton   boolean primary key default true check (singleton),
    sync_token  text,
    worker      text not null default '',
    lease_until timestamptz not null default '-infinity',
    moved_at    timestamptz not null default now(),
    -- When the homeserver last pushed a transaction. Without pushes the worker looks for new rooms itself.
    pushed_at   timestamptz
);
insert into reconciliation default values;

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
    queue           text not null,
    status          text not null default 'pending',
    reason          text,
    matrix_room_id  text,
    matrix_event_id text,
    attempts        integer not null default 0,
    next_attempt_at timestamptz,
    -- Until then the caller that sent the notification delivers it, and the worker does not.
    answer_due      timestamptz,
    -- Whether its live event is in the event log. A held notification gets one when its recipient signs in.
    announced       boolean not null default true,
    expires_at      timestamptz,
    created_at      timestamptz not null default clock_timestamp(),
    -- The request that sent it, and its trace context (W3C Trace Context).
    request_id      text,
    traceparent     text,
    -- When a held notification was announced; null for one that was never held.
    announced_at    timestamptz,
    -- When the status `sent` was stored.
    sent_at         timestamptz
);
create index notifications_by_tenant on notifications (tenant_id, id);
create index notifications_by_app on notifications (tenant_id, source_app, id);
-- The outbox: pending notifications in the order of their room queue.
create index notifications_pending on notifications (queue, id) where status = 'pending';
-- Notifications that were not delivered, for administrators. Sending one does not touch this index.
create index notifications_unsent on notifications (tenant_id, id) where status in ('failed', 'expired', 'cancelled');
-- The inbox of a user, in the order of its pages: what everybody of the tenant gets (`target_user` is null), and
-- the user's direct messages.
create index notifications_by_reader on notifications (tenant_id, target_user, id) where announced;
-- The same for the urgent ones, which are few. Sending others does not touch this index.
create index notifications_urgent on notifications (tenant_id, target_user, id) where announced and priority = 'urgent';
-- The notifications of an entity, of which each is for everybody of the tenant.
create index notifications_by_entity on notifications (queue, id) where announced and entity_type is not null;
create index notifications_expiring on notifications (expires_at) where status = 'pending' and expires_at is not null;

-- The last notification up to which a user has read the inbox.
create table inbox_marks (
    tenant_id   bigint not null,
    hub_user_id text not null references users on delete cascade,
    read_up_to  bigint not null default 0,
    primary key (tenant_id, hub_user_id)
);

-- Notifications that are read although they come after the mark of the user, or unread although they come before
-- it. The mark passes read ones that follow it.
create table inbox_exceptions (
    tenant_id       bigint not null,
    hub_user_id     text not null,
    notification_id bigint not null,
    is_read         boolean not null,
    primary key (tenant_id, hub_user_id, notification_id)
);

-- Failed attempts to deliver notifications.
create table delivery_failures (
    id              bigint generated always as identity primary key,
    notification_id bigint not null,
    attempt         integer not null,
    failed_at       timestamptz not null default clock_timestamp(),
    reason          text not null,
    -- The error in words, without content of the notification.
    detail          text not null,
    -- Null after the last attempt.
    next_attempt_at timestamptz
);
create index delivery_failures_by_notification on delivery_failures (notification_id, id);

-- One row for each room that ever got a notification: when its queue is due, and the lease of the worker that
-- drains it. `version` grows with each entry, so that a worker that releases the queue does not miss a new
-- one.
create table outbox_queues (
    name        text primary key,
    due         timestamptz not null default 'infinity',
    lease_until timestamptz not null default '-infinity',
    attempts    integer not null default 0,
    version     bigint not null default 0
) with (fillfactor = 50);
create index outbox_queues_due on outbox_queues (due) where due < 'infinity';

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

-- A room queue of a batch of notifications, and an entry of the batch. `n` is their number in the batch,
-- `queue` the number of the entry's queue; both begin with 1. An array of a composite type costs PostgreSQL
-- much less than one array for each column.
create type new_queue as (n integer, name text, tenant_id bigint, recipient text, wait double precision);
create type new_entry as (
    n integer, queue integer, queue_name text, tenant_id bigint, target_type text, recipient text, audience text,
    token text, source_app text, event_type text, title text, body text, entity_type text, entity_id jsonb,
    priority text, room text, payload text, wait double precision, key text, fingerprint text,
    request_id text, traceparent text);

-- The open event streams of each process by tenant, as it last reported them.
create table sse_connections (
    tenant_id   bigint not null,
    process     text not null,
    connections bigint not null,
    reported_at timestamptz not null default now(),
    primary key (tenant_id, process)
);

-- The acts of administrators, written in the transaction of each act. Only appended to.
create table audit_log (
    id         bigint generated always as identity primary key,
    at         timestamptz not null default clock_timestamp(),
    tenant_id  bigint not null,
    actor      text not null,
    action     text not null,
    -- The id of the user, room or notification that was changed.
    subject    text not null,
    -- The changed values.
    before     jsonb,
    after      jsonb,
    address    text not null,
    request_id text
);
create index audit_log_by_tenant on audit_log (tenant_id, id);

-- Acts of administrators on many notifications, with their progress. A repeated call with the same key goes on.
create table bulk_acts (
    tenant_id  bigint not null,
    actor      text not null,
    key        text not null,
    action     text not null,
    filter     jsonb not null,
    -- The newest notification at the beginning: later ones are not changed.
    upto_id    bigint not null,
    -- The next notification to look at; larger than `upto_id` at the end.
    next_id    bigint not null,
    total      bigint not null,
    changed    bigint not null default 0,
    skipped    bigint not null default 0,
    created_at timestamptz not null default clock_timestamp(),
    primary key (tenant_id, actor, key)
);
