-- The lease of the relay that copies the event log, and the rights of users that it has to copy.
--
-- No holder of the lock of `feed_head` waits for that of `feed_copy`, so here the latter comes first.

-- Takes the lease, or renews it. Returns no row if another relay holds it. The copy gets another id if its events
-- were to be kept for a shorter time. The id is random: a restored database has the row of its backup.
create or replace function claim_feed_copy(p_relay text, p_lease interval, p_retention interval)
    returns setof feed_copy
language plpgsql as $$
declare
    before  text := (select id from feed_copy);
    claimed feed_copy;
begin
    insert into feed_copy as copy (relay, lease_until, retention)
    values (p_relay, now() + p_lease, p_retention)
    on conflict (singleton) do update set
        relay = excluded.relay, lease_until = excluded.lease_until, retention = excluded.retention,
        id = case when copy.retention < excluded.retention then excluded.id else copy.id end,
        announced = case when copy.retention < excluded.retention then 0 else copy.announced end,
        relayed = case when copy.retention < excluded.retention then 0 else copy.relayed end
    where copy.relay = excluded.relay or copy.lease_until <= now()
    returning * into claimed;
    if not found then
        return;
    end if;
    if claimed.id is distinct from before then
        perform uncopy_all_users();
    end if;
    return next claimed;
end $$;

-- Gives the copy another id. Returns no row if another relay holds the lease.
create or replace function replace_feed_copy(p_relay text) returns setof feed_copy
language plpgsql as $$
declare
    replaced feed_copy;
begin
    update feed_copy
    set id = replace(gen_random_uuid()::text, '-', ''), announced = 0, relayed = 0
    where relay = p_relay
    returning * into replaced;
    if found then
        perform uncopy_all_users();
        return next replaced;
    end if;
end $$;

-- Makes the rights of all users due for a new copy.
create or replace function uncopy_all_users() returns void
language plpgsql as $$
begin
    -- Writers of single users hold this lock, so none waits for another in a circle.
    perform from feed_head for update;
    insert into uncopied_users (hub_user_id) select hub_user_id from users
    on conflict (hub_user_id) do update set change = default;
end $$;

-- Makes the rights of one user due, after any statement that changes them.
create or replace function uncopy_user() returns trigger
language plpgsql as $$
begin
    insert into uncopied_users (hub_user_id)
    values (case when tg_op = 'DELETE' then old.hub_user_id else new.hub_user_id end)
    on conflict (hub_user_id) do update set change = default;
    return null;
end $$;

create or replace trigger users_uncopied after insert or delete on users for each row execute function uncopy_user();
create or replace trigger users_uncopied_by_update after update on users for each row
    when ((old.tenant_id, old.role, old.logged_out_at) is distinct from (new.tenant_id, new.role, new.logged_out_at))
    execute function uncopy_user();
create or replace trigger room_members_uncopied after insert or delete on room_members
    for each row execute function uncopy_user();
create or replace trigger room_members_uncopied_by_update after update on room_members for each row
    when ((old.tenant_id, old.matrix_room_id, old.joined_position)
          is distinct from (new.tenant_id, new.matrix_room_id, new.joined_position))
    execute function uncopy_user();
