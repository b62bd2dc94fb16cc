-- Appends the live event of a held notification whose recipient has signed in. From now on the notification
-- does not expire, and it is unread even if its recipient has read later ones. A repeated call changes nothing, nor does one for a notification that an administrator has
-- cancelled or moved to the queue of another recipient since it was read.

drop function if exists announce_notification(bigint, text, text);

create or replace function announce_notification(p_id bigint, p_queue text, p_audience text, p_payload text)
returns void
language plpgsql as $$
declare
    its_tenant     bigint;
    its_room       text;
    its_user       text;
    its_created_at timestamptz;
begin
    -- The lock of the event log comes first.
    perform from feed_head for update;
    update notifications
    set announced = true, announced_at = clock_timestamp(), expires_at = null, reason = null
    where id = p_id and not announced and queue = p_queue and status = 'pending'
    returning tenant_id, matrix_room_id, target_user, created_at into its_tenant, its_room, its_user, its_created_at;
    if found then
        perform append_event(its_tenant, p_audience, 'notification', its_room, p_payload, p_notification => p_id,
                             p_notification_created_at => its_created_at);
        insert into inbox_exceptions (tenant_id, hub_user_id, notification_id, is_read)
        select tenant_id, hub_user_id, p_id, false
        from inbox_marks where tenant_id = its_tenant and hub_user_id = its_user and read_up_to >= p_id
        on conflict do nothing;
    end if;
end $$;
