-- Gives every text that names somebody or something its one form, as new texts have it: Unicode normalisation form C,
-- without white space at either end; and takes out of shown names what nobody sees or what turns the line.
--
-- Nobody is merged with anybody. Where the normal form is taken already, by a user, a room or a key, the other one stays as
-- it is; its user can no longer sign in under it, since every token is read in the normal form. Direct messages that wait for
-- another spelling go to the user with the normal form. The Matrix account of a user stays what it was.
--
-- Running it again changes nothing.

create or replace function pg_temp.trimmed(name text) returns text
language sql immutable as $$
    select btrim(name, E'\u0009\u000a\u000b\u000c\u000d\u0020\u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006'
                       '\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000')
$$;

create or replace function pg_temp.normal(name text) returns text
language sql immutable as $$
    select normalize(pg_temp.trimmed(name), nfc)
$$;

create or replace function pg_temp.is_normal(name text) returns boolean
language sql immutable as $$
    select name is nfc normalized and name = pg_temp.trimmed(name)
$$;

-- Line breaks become spaces; then go controls, invisible characters and those that turn the direction; then joiners that join
-- nothing, and selectors and tags that belong to nothing.
create or replace function pg_temp.visible(name text) returns text
language sql immutable as $$
    select regexp_replace(regexp_replace(regexp_replace(name,
        E'[\u0009-\u000d\u0085\u2028\u2029]', ' ', 'g'),
        E'[\u0001-\u0008\u000e-\u001f\u007f-\u0084\u0086-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b'
        '\u200e\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3'
        '\U0001d173-\U0001d17a\U000e0000-\U000e001f\U000e0080-\U000e00ff\U000e01f0-\U000e0fff]', '', 'g'),
        E'(?<![^\u0001-\u02ff\u1e00-\u1eff\u2000-\u200d\u3000])[\u200c\u200d]'
        '|[\u200c\u200d](?![^\u0001-\u02ff\u1e00-\u1eff\u2000-\u200d\u3000])'
        '|(?<![^\u0020\u00a0\u2000-\u200d\u3000\ufe00-\ufe0f])[\ufe00-\ufe0f]'
        '|(?<![\U0001f3f4\U000e0020-\U000e007e])[\U000e0020-\U000e007f]', '', 'g')
$$;

create or replace function pg_temp.legible(name text) returns text
language sql immutable as $$
    select pg_temp.normal(pg_temp.visible(name))
$$;

create or replace function pg_temp.unescaped(part text) returns text
language sql immutable as $$
    select coalesce(convert_from(string_agg(
               case when piece[1] like '\%__' then decode(substr(piece[1], 2), 'hex') else convert_to(piece[1], 'UTF8') end,
               ''::bytea order by n), 'UTF8'), '')
    from regexp_matches(part, '%..|[^%]+', 'g') with ordinality as pieces (piece, n)
$$;

-- As the keys of rooms have it: everything but letters, digits, `-`, `_` and `.` of ASCII.
create or replace function pg_temp.escaped(part text) returns text
language sql immutable as $$
    select coalesce(string_agg(
               case when byte between 48 and 57 or byte between 65 and 90 or byte between 97 and 122 or byte in (45, 46, 95)
                    then chr(byte) else '%' || upper(lpad(to_hex(byte), 2, '0')) end, '' order by n), '')
    from (select n, get_byte(convert_to(part, 'UTF8'), n) as byte
          from generate_series(0, octet_length(convert_to(part, 'UTF8')) - 1) as n) bytes
$$;

-- ---------------------------------------------------------------------------------------------- users

-- A user's id may change: what refers to it follows.
do $$
declare
    link record;
begin
    for link in
        select conrelid::regclass as of_table, conname as name, pg_get_constraintdef(oid) as definition
        from pg_constraint where contype = 'f' and confrelid = 'users'::regclass and confupdtype <> 'c'
    loop
        execute format('alter table %s drop constraint %I, add constraint %I %s on update cascade',
                       link.of_table, link.name, link.name, link.definition);
    end loop;
end $$;

-- Of several users with one normal form the oldest gets it.
create temporary table renamed on commit drop as
select distinct on (form) hub_user_id as old, form as new
from (select hub_user_id, pg_temp.normal(hub_user_id) as form, created_at from users
      where not pg_temp.is_normal(hub_user_id)) odd
where form <> '' and not exists (select from users where users.hub_user_id = form)
order by form, created_at, hub_user_id;

update users set hub_user_id = renamed.new from renamed where users.hub_user_id = renamed.old;
update rooms set created_by = renamed.new from renamed where rooms.created_by = renamed.old;
update rooms set first_user = renamed.new from renamed where rooms.first_user = renamed.old;
update rooms set second_user = renamed.new from renamed where rooms.second_user = renamed.old;
delete from poll_cursors cursor using renamed where cursor.hub_user_id = renamed.new;
update poll_cursors cursor set hub_user_id = renamed.new from renamed where cursor.hub_user_id = renamed.old;
update events set audience = named.after
from (select format('t%s:u:%s', users.tenant_id, renamed.old) as before,
             format('t%s:u:%s', users.tenant_id, renamed.new) as after
      from renamed join users on users.hub_user_id = renamed.new) named
where events.audience = named.before;

-- Their accounts are due: the homeserver gets the new name.
update users
set display_name = coalesce(nullif(pg_temp.legible(display_name), ''), nullif(pg_temp.legible(hub_user_id), ''), hub_user_id),
    search_name = case when pg_temp.legible(display_name) = '' then search_id
                       else pg_temp.trimmed(pg_temp.visible(search_name)) end,
    account_due = now()
where display_name <> pg_temp.legible(display_name);

-- ---------------------------------------------------------------------------------------------- rooms

create temporary table rekeyed on commit drop as
select distinct on (tenant_id, kind, form) tenant_id, kind, key, form
from (
    select room.tenant_id, room.kind, room.key, room.created_at,
           case room.kind
               when 'bot_dm' then pg_temp.escaped(coalesce(one.new, part.one))
               when 'dm' then pg_temp.escaped(least(coalesce(one.new, part.one) collate "C", coalesce(other.new, part.other)))
                   || '/' || pg_temp.escaped(greatest(coalesce(one.new, part.one) collate "C", coalesce(other.new, part.other)))
               when 'entity' then pg_temp.escaped(pg_temp.normal(part.one)) || '/' || pg_temp.escaped(pg_temp.normal(part.other))
               else pg_temp.escaped(pg_temp.normal(part.one))
           end as form
    from rooms room
    cross join lateral (select pg_temp.unescaped(split_part(room.key, '/', 1)) as one,
                               pg_temp.unescaped(split_part(room.key, '/', 2)) as other) part
    left join renamed one on one.old = part.one
    left join renamed other on other.old = part.other
    -- What is normal without question has no escapes.
    where room.kind in ('bot_dm', 'dm', 'entity', 'service') and position('%' in room.key) > 0
) keyed
where form <> key
  and not exists (select from rooms taken where taken.tenant_id = keyed.tenant_id and taken.kind = keyed.kind
                      and taken.key = keyed.form and taken.matrix_room_id is not null)
order by tenant_id, kind, form, created_at, key;

-- A room that somebody was about to make gives way to one that is there.
delete from rooms room using rekeyed
where room.tenant_id = rekeyed.tenant_id and room.kind = rekeyed.kind and room.key = rekeyed.form
  and room.matrix_room_id is null;
update rooms room
set key = rekeyed.form, entity_type = pg_temp.normal(room.entity_type), entity_id = pg_temp.normal(room.entity_id)
from rekeyed
where room.tenant_id = rekeyed.tenant_id and room.kind = rekeyed.kind and room.key = rekeyed.key;

update rooms set name = nullif(pg_temp.legible(name), ''), topic = nullif(pg_temp.legible(topic), '')
where name <> pg_temp.legible(name) or topic <> pg_temp.legible(topic);

-- ---------------------------------------------------------------------------------------------- notifications

create temporary table relaned on commit drop as
select id, status, lane as old, tenant_id, target_user is not null as is_direct, pg_temp.normal(target_user) as recipient, kind, key,
       format('t%s:%s:%s', tenant_id, kind, key) as new
from notifications
cross join lateral (
    select case target_type when 'dm' then 'bot_dm' when 'entity_room' then 'entity' when 'service_room' then 'service'
                            else target_type end as kind,
           case target_type
               when 'dm' then pg_temp.escaped(pg_temp.normal(target_user))
               when 'entity_room' then pg_temp.escaped(pg_temp.normal(entity_type)) || '/'
                                       || pg_temp.escaped(pg_temp.normal(entity_id #>> '{}'))
               when 'service_room' then pg_temp.escaped(pg_temp.normal(source_app))
               else ''
           end as key
) named
where not pg_temp.is_normal(source_app) or not pg_temp.is_normal(entity_type) or not pg_temp.is_normal(target_user)
   or not pg_temp.is_normal(entity_id #>> '{}');

update notifications
set source_app = pg_temp.normal(source_app), entity_type = pg_temp.normal(entity_type),
    entity_id = case when jsonb_typeof(entity_id) = 'string' then to_jsonb(pg_temp.normal(entity_id #>> '{}'))
                     else entity_id end,
    target_user = relaned.recipient, lane = relaned.new,
    -- What was sent stays where it was sent.
    matrix_room_id = case when notifications.status <> 'pending' then matrix_room_id else (
        select room.matrix_room_id from rooms room
        where room.tenant_id = relaned.tenant_id and room.kind = relaned.kind and room.key = relaned.key) end
from relaned where notifications.id = relaned.id;

-- What is held for somebody who is there is due, as all else that is pending.
insert into outbox_lanes (name, due, version)
select new, min(case when not is_direct or exists (select from users where users.tenant_id = relaned.tenant_id
                                                       and users.hub_user_id = relaned.recipient)
                     then now() else 'infinity' end), 1
from relaned where status = 'pending' group by new
on conflict (name) do update
    set due = least(outbox_lanes.due, excluded.due), version = outbox_lanes.version + 1;
delete from outbox_lanes lane using (select distinct old from relaned where old <> new) moved
where lane.name = moved.old
  and not exists (select from notifications where notifications.lane = moved.old and status = 'pending');

-- ---------------------------------------------------------------------------------------------- readers and keys

update poll_cursors cursor set reader = named.form
from (select distinct on (tenant_id, hub_user_id, form) tenant_id, hub_user_id, reader, form
      from (select *, pg_temp.normal(reader) as form from poll_cursors where not pg_temp.is_normal(reader)) odd
      where not exists (select from poll_cursors taken where taken.tenant_id = odd.tenant_id
                            and taken.hub_user_id = odd.hub_user_id and taken.reader = odd.form)
      order by tenant_id, hub_user_id, form, read_at desc) named
where cursor.tenant_id = named.tenant_id and cursor.hub_user_id = named.hub_user_id and cursor.reader = named.reader;

-- A blank key is none, and spaces around one do not count.
delete from idempotency_keys where pg_temp.trimmed(key) = '';
update idempotency_keys known set key = named.form
from (select distinct on (tenant_id, token, form) tenant_id, token, key, form
      from (select *, pg_temp.trimmed(key) as form from idempotency_keys) odd
      where form <> key and not exists (select from idempotency_keys taken where taken.tenant_id = odd.tenant_id
                                            and taken.token = odd.token and taken.key = odd.form)
      order by tenant_id, token, form, created_at) named
where known.tenant_id = named.tenant_id and known.token = named.token and known.key = named.key;
