-- Acts of administrators on notifications. Each act and its entry in the audit log are one transaction.

-- Makes room queues due at once, also those that back off. A caller with several queues holds the lock of the
-- event log, as every function that locks more than one does.
create or replace function make_queues_due(p_names text[]) returns void
language plpgsql as $$
begin
    insert into outbox_queues as stored (name, due, version)
    select queue.name, now(), 1 from (select distinct unnest(p_names) as name) queue
    on conflict (name) do update set due = now(), attempts = 0, version = stored.version + 1;
    if found then
        perform pg_notify('work', '');
    end if;
end $$;

-- Retries or cancels those of the notifications whose status allows it. Returns each one of the tenant with
-- its status before. A held direct message is held again, with a new expiry: its live event is not in the
-- event log. The worker announces it once its recipient is known.
create or replace function change_notifications(
    p_action text, p_ids bigint[], p_held_for double precision, p_tenant bigint, p_actor text, p_address text,
    p_request text) returns table (id bigint, status text, changed boolean)
language plpgsql as $$
#variable_conflict use_column
declare
    is_retry constant boolean := p_action = 'notification.retry';
    queues   text[] := '{}';
    one      notifications;
begin
    -- The lock of the event log comes first.
    perform from feed_head for update;
    for one in
        select * from notifications
        where tenant_id = p_tenant and id = any (p_ids) order by id for update
    loop
        -- Those of alarms are shown by the messages of their alarms.
        changed := one.alarm_id is null
            and one.status = any (case when is_retry then '{failed,expired,cancelled}' else '{pending}' end::text[]);
        if changed then
            update notifications
            set status = case when is_retry then 'pending' else 'cancelled' end,
                reason = case when is_retry and not one.announced then 'recipient_not_provisioned' end,
                attempts = case when is_retry then 0 else one.attempts end,
                expires_at = case when is_retry and not one.announced
                                  then now() + p_held_for * interval '1 second' end,
                next_attempt_at = null, answer_due = null
            where id = one.id;
            perform append_audit(
                p_tenant, p_actor, p_address, p_request, p_action, one.id::text,
                jsonb_build_object('status', one.status, 'reason', one.reason, 'attempts', one.attempts),
                jsonb_build_object('status', case when is_retry then 'pending' else 'cancelled' end));
            queues := queues || one.queue;
        end if;
        id := one.id;
        status := one.status;
        return next;
    end loop;
    perform make_queues_due(queues);
end $$;

-- Moves a held direct message to another user of the tenant. The lock of its row decides between this and a
-- worker that announces it to its present recipient (`announce_notification`). Returns `readdressed`, or the
-- reason of a refusal: `unknown_notification`, `unknown_user`, or `not_held` with the status.
create or replace function readdress_notification(
    p_id bigint, p_user text, p_queue text, p_held_for double precision, p_tenant bigint, p_actor text,
    p_address text, p_request text, out outcome text, out status text)
language plpgsql as $$
#variable_conflict use_column
declare
    one notifications;
begin
    select * into one from notifications where tenant_id = p_tenant and id = p_id for update;
    status := one.status;
    if not found then
        outcome := 'unknown_notification';
    elsif one.target_type <> 'dm' or one.announced or one.status <> 'pending' then
        outcome := 'not_held';
    elsif not exists (select from users where tenant_id = p_tenant and hub_user_id = p_user) then
        outcome := 'unknown_user';
    else
        outcome := 'readdressed';
        if one.target_user <> p_user then
            -- The room and the expiry are those of the former recipient.
            update notifications
            set target_user = p_user, queue = p_queue, matrix_room_id = null, reason = null, attempts = 0,
                next_attempt_at = null, expires_at = now() + p_held_for * interval '1 second'
            where id = p_id;
            perform append_audit(
                p_tenant, p_actor, p_address, p_request, 'notification.readdress', p_id::text,
                jsonb_build_object('target_user', one.target_user), jsonb_build_object('target_user', p_user));
            perform make_queues_due(array[p_queue]);
        end if;
    end if;
end $$;

-- Changes the next notifications of an act on many, and moves its progress from `p_from` to `p_next`. Changes
-- nothing if the progress is not at `p_from` any more.
create or replace function step_bulk_act(
    p_key text, p_from bigint, p_next bigint, p_ids bigint[], p_held_for double precision, p_tenant bigint,
    p_actor text, p_address text, p_request text) returns table (id bigint, status text, changed boolean)
language plpgsql as $$
#variable_conflict use_column
declare
    its_action text;
    changes    bigint := 0;
    skips      bigint := 0;
begin
    perform from feed_head for update;
    update bulk_acts set next_id = p_next
    where tenant_id = p_tenant and actor = p_actor and key = p_key and next_id = p_from
    returning action into its_action;
    if not found then
        return;
    end if;
    for id, status, changed in
        select one.id, one.status, one.changed
        from change_notifications(its_action, p_ids, p_held_for, p_tenant, p_actor, p_address, p_request) one
    loop
        changes := changes + changed::integer;
        skips := skips + (not changed)::integer;
        return next;
    end loop;
    update bulk_acts set changed = bulk_acts.changed + changes, skipped = skipped + skips
    where tenant_id = p_tenant and actor = p_actor and key = p_key;
end $$;
