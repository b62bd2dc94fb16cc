-- The inbox of a user: the notifications that the user's streams have, and what the user has read of them.
--
-- A user has read the notifications up to `inbox_marks.read_up_to`. `inbox_exceptions` has those of which the
-- contrary is true: later ones that were read one by one, and earlier ones that were announced afterwards.

-- Counts the unread notifications of a user, up to 1000. `p_mark` is the user's `read_up_to`. The cost does not
-- depend on the number of notifications, but on that of exceptions.
create or replace function inbox_unread_count(p_tenant bigint, p_user text, p_mark bigint) returns bigint
language plpgsql stable as $$
declare
    -- Read ones after the mark, and unread ones up to it.
    reads   bigint;
    unreads bigint;
    after   bigint;
begin
    select count(*) filter (where is_read and notification_id > p_mark),
           count(*) filter (where not is_read and notification_id <= p_mark)
    into reads, unreads
    from inbox_exceptions where tenant_id = p_tenant and hub_user_id = p_user;
    select count(*) into after from (
        (select from notifications
         where tenant_id = p_tenant and target_user is null and announced and id > p_mark
         order by target_user, id limit 1000 + reads)
        union all
        (select from notifications
         where tenant_id = p_tenant and (target_user, id) > (p_user, p_mark) and target_user <= p_user and announced
         order by target_user, id limit 1000 + reads)
    ) later;
    return least(after - reads + unreads, 1000);
end $$;

-- The form without words.
drop function if exists inbox_page(bigint, text, bigint, bigint, text, text, text, timestamptz, boolean);

-- Returns a page of a user's inbox, newest first: the ids below `p_before`, and whether each is read. `is_reader`
-- is false for a user of another tenant. Nulls in the filters match anything; `p_queue` is the room queue of an
-- entity.
--
-- Each scan reads one index in its order, between two bounds: that of the entity, of the app, of urgent ones, or
-- of the readers. No other index has this order, and the planner may not sort: it would read a whole tenant first.
-- A call looks at 1000 notifications of a scan at most, at 5000 for words: `next_before` is where the next one goes
-- on, and the page may be short. It is null at the end.
create or replace function inbox_page(
    p_tenant bigint, p_user text, p_before bigint, p_limit bigint, p_queue text, p_app text, p_priority text,
    p_since timestamptz, p_unread boolean, p_words jsonb,
    out is_reader boolean, out ids bigint[], out reads boolean[], out next_before bigint, out unread_count bigint)
language plpgsql stable
set enable_sort = off
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
as $$
declare
    mark     bigint;
    first    bigint := 0;
    -- Of the exceptions: the number of read ones, and the first unread one.
    passed   bigint := 0;
    oldest   bigint;
    looks_at bigint := 1000;
    searched text := 'search_form(concat_ws(e''\n'', title, body))';
    low      bigint;
    columns  text := '(select id, source_app, priority, target_user, title, body, %s as scan from notifications
                       where announced and ';
    shared   text := columns || 'tenant_id = $1 and target_user is null and id < $3 and id >= $4 %s
                       order by target_user desc, id desc limit $5)';
    direct   text := columns || 'tenant_id = $1 and (target_user, id) < ($2, $3) and (target_user, id) >= ($2, $4) %s
                       order by target_user desc, id desc limit $5)';
    scans    text;
begin
    select coalesce(marks.read_up_to, 0) into mark
    from users left join inbox_marks marks using (tenant_id, hub_user_id)
    where users.tenant_id = p_tenant and users.hub_user_id = p_user;
    is_reader := found;
    if not is_reader then
        return;
    end if;
    unread_count := inbox_unread_count(p_tenant, p_user, mark);
    if p_since is not null then
        first := notification_id_at(p_since);
    end if;
    if p_unread then
        select count(*) filter (where is_read), min(notification_id) filter (where not is_read)
        into passed, oldest
        from inbox_exceptions where tenant_id = p_tenant and hub_user_id = p_user;
        first := greatest(first, least(mark + 1, oldest));
    end if;
    if p_words is not null then
        looks_at := 5000;
    end if;
    -- Nearly all that is looked at matches, unless a filter has no index of its own here.
    if oldest is null and p_app is null and p_words is null
        and (p_priority is null or p_priority = 'urgent' and p_queue is null)
    then
        looks_at := least(looks_at, p_limit + 1 + passed);
    end if;
    scans := case
        when p_queue is not null then
            format(columns, 1) || '(queue, id) < ($8, $3) and (queue, id) >= ($8, $4) and entity_type is not null
                                   order by queue desc, id desc limit $5)'
        when p_app is not null then
            format(columns, 1) || 'tenant_id = $1 and (source_app, id) < ($9, $3) and (source_app, id) >= ($9, $4)
                                   order by source_app desc, id desc limit $5)'
        when p_priority = 'urgent' then
            format(shared, 1, 'and priority = ''urgent''') || ' union all '
            || format(direct, 2, 'and priority = ''urgent''')
        else
            format(shared, 1, '') || ' union all ' || format(direct, 2, '')
        end;
    execute format('
        with scanned as materialized (%s),
        -- A scan that has not come to its end does not know what is below.
        looked as materialized (
            select max(low) as low
            from (select min(id) as low from scanned group by scan having count(*) = $5) unfinished
        ), matching as (
            select scanned.id, coalesce(exception.is_read, scanned.id <= $6) as is_read
            from scanned
            left join inbox_exceptions exception on exception.tenant_id = $1 and exception.hub_user_id = $2
                                                and exception.notification_id = scanned.id
            where scanned.id >= coalesce((select low from looked), 0)
              and (scanned.target_user is null or scanned.target_user = $2)
              and ($9 is null or scanned.source_app = $9) and ($10 is null or scanned.priority = $10)
              and not ($11 and coalesce(exception.is_read, scanned.id <= $6)) and %s
            order by scanned.id desc limit $7 + 1
        )
        select array_agg(id order by id desc), array_agg(is_read order by id desc), (select low from looked)
        from matching', scans, coalesce(contains_words(searched, p_words), 'true'))
    into ids, reads, low
    using p_tenant, p_user, p_before, first, looks_at, mark, p_limit, p_queue, p_app, p_priority, p_unread;
    if cardinality(ids) > p_limit then
        next_before := ids[p_limit];
        ids := ids[:p_limit];
        reads := reads[:p_limit];
    else
        next_before := low;
    end if;
end $$;

-- Marks notifications as read: all up to `p_up_to`, and those of `p_ids`. If that changes anything, the user's
-- devices get `inbox_read` with `p_payload`. `is_reader` is false for a user of another tenant, `is_known` if
-- `p_up_to` is no notification of the inbox. Ids of others are ignored. Takes no lock if nothing changes.
create or replace function mark_inbox_read(
    p_tenant bigint, p_user text, p_up_to bigint, p_ids bigint[], p_payload text,
    out is_reader boolean, out is_known boolean, out unread_count bigint)
language plpgsql as $$
#variable_conflict use_column
declare
    mark    bigint;
    own     bigint[];
    changes bigint := 0;
    changed bigint;
begin
    is_reader := exists (select from users where tenant_id = p_tenant and hub_user_id = p_user);
    own := array(
        select id from notifications
        where id = any (p_ids || p_up_to) and tenant_id = p_tenant and announced
          and (target_user is null or target_user = p_user));
    is_known := p_up_to is null or p_up_to = any (own);
    if not is_reader or not is_known then
        return;
    end if;
    own := array(select id from unnest(own) id where id = any (p_ids));
    mark := coalesce(
        (select read_up_to from inbox_marks where tenant_id = p_tenant and hub_user_id = p_user), 0);
    if coalesce(p_up_to, 0) > mark
        or exists (
            select from inbox_exceptions
            where tenant_id = p_tenant and hub_user_id = p_user and not is_read
              and (notification_id <= p_up_to or notification_id = any (own)))
        or exists (
            select from unnest(own) id
            where id > mark and not exists (
                select from inbox_exceptions
                where tenant_id = p_tenant and hub_user_id = p_user and notification_id = id))
    then
        -- The lock of the event log comes first.
        perform from feed_head for update;
        insert into inbox_marks (tenant_id, hub_user_id) values (p_tenant, p_user) on conflict do nothing;
        select read_up_to into mark from inbox_marks where tenant_id = p_tenant and hub_user_id = p_user;
        if p_up_to > mark then
            mark := p_up_to;
            changes := 1;
        end if;
        delete from inbox_exceptions
        where tenant_id = p_tenant and hub_user_id = p_user and not is_read
          and (notification_id <= p_up_to or notification_id = any (own));
        get diagnostics changed = row_count;
        changes := changes + changed;
        insert into inbox_exceptions (tenant_id, hub_user_id, notification_id, is_read)
        select p_tenant, p_user, id, true from unnest(own) id where id > mark
        on conflict do nothing;
        get diagnostics changed = row_count;
        changes := changes + changed;
        -- The mark passes those that were read one by one.
        mark := greatest(mark, inbox_read_from(p_tenant, p_user, mark));
        update inbox_marks set read_up_to = mark where tenant_id = p_tenant and hub_user_id = p_user;
        delete from inbox_exceptions
        where tenant_id = p_tenant and hub_user_id = p_user and is_read and notification_id <= mark;
        if changes > 0 then
            perform append_event(p_tenant, format('t%s:u:%s', p_tenant, p_user), 'inbox_read', null, p_payload);
        end if;
    end if;
    unread_count := inbox_unread_count(p_tenant, p_user, mark);
end $$;

-- Returns the last notification before the first unread one after a mark, among the next 1000; null if there is
-- none. The caller holds the lock of the event log.
create or replace function inbox_read_from(p_tenant bigint, p_user text, p_mark bigint) returns bigint
language sql stable as $$
    with ahead as (
        select later.id, exists (
            select from inbox_exceptions exception
            where exception.tenant_id = p_tenant and exception.hub_user_id = p_user
              and exception.notification_id = later.id and exception.is_read) as is_read
        from (
            (select id from notifications
             where tenant_id = p_tenant and target_user is null and announced and id > p_mark
             order by target_user, id limit 1000)
            union all
            (select id from notifications
             where tenant_id = p_tenant and (target_user, id) > (p_user, p_mark) and target_user <= p_user
               and announced
             order by target_user, id limit 1000)
        ) later
        order by later.id limit 1000
    )
    select max(id) from ahead where id < coalesce((select min(id) from ahead where not is_read), id + 1)
$$;
