-- Search in the texts of messages (`message_texts`), and in texts of notifications.

-- Returns the form of a text in which words are looked for, without case and accents, as `search::fold` of the
-- core does for texts of messages.
create or replace function search_form(p_text text) returns text
language plpgsql immutable as $$
begin
    if p_text ~ '[^\x01-\x7f]' then
        p_text := replace(regexp_replace(normalize(p_text, nfkd), '[\u0300-\u036f]', '', 'g'), 'ß', 'ss');
    end if;
    return lower(p_text);
end $$;

-- Returns an SQL condition: the expression has each of the words. A word is an array of its spellings, as
-- patterns of `like`.
create or replace function contains_words(p_expression text, p_words jsonb) returns text
language sql immutable as $$
    select string_agg('(' || (
        select string_agg(format('%s like %L', p_expression, spelling), ' or ')
        from jsonb_array_elements_text(word) spelling) || ')', ' and ')
    from jsonb_array_elements(p_words) word
$$;

-- Returns whether an index of parts of three letters and digits can find some of the words.
create or replace function has_indexed_word(p_words jsonb) returns boolean
language sql immutable as $$
    select exists (
        select from jsonb_array_elements(p_words) word
        where not exists (
            select from jsonb_array_elements_text(word) spelling where spelling !~ '[[:alnum:]]{3}'))
$$;

-- Gives a message the text of its last edit; without edits, its own.
create or replace function refresh_message_text(p_tenant bigint, p_room text, p_event text) returns void
language sql as $$
    update message_texts message
    set original = coalesce(message.original, message.text),
        original_folded = coalesce(message.original_folded, message.folded),
        text = coalesce(edit.text, message.original, message.text),
        folded = coalesce(edit.folded, message.original_folded, message.folded)
    from (select 1) always
    left join lateral (
        select one.text, one.folded from message_edits one
        where one.event_id = p_event and one.tenant_id = p_tenant and one.matrix_room_id = p_room
        order by one.edited_at desc, one.edit_event_id collate "C" desc limit 1
    ) edit on true
    where message.tenant_id = p_tenant and message.event_id = p_event and message.matrix_room_id = p_room
$$;

-- Returns the rooms in which a user finds messages: those of which the user is a member (`current`), and those
-- that they replaced. Of a room with restricted history they find only what was sent `after`, and arrived after.
create or replace function searched_rooms(p_tenant bigint, p_user text)
    returns table (room text, current text, after timestamptz)
language sql stable as $$
    with own as (
        select member.matrix_room_id as current, member.joined_at, room.history_restricted
        from room_members member
        join rooms room on room.tenant_id = member.tenant_id and room.matrix_room_id = member.matrix_room_id
        where member.tenant_id = p_tenant and member.hub_user_id = p_user
    )
    select current, current, case when history_restricted then joined_at else '-infinity' end from own
    union all
    select former.matrix_room_id, own.current,
           case when own.history_restricted or former.history_restricted then own.joined_at else '-infinity' end
    from own join former_rooms former on former.current = own.current and former.tenant_id = p_tenant
$$;

-- Returns a page of the messages that a user finds, the last to arrive first: those with ids below `p_before`,
-- with all of the words. Nulls in `p_room` and `p_sender` match anything. `is_member` is false if the user is no
-- member of `p_room` or of its successor.
--
-- It looks at the latest messages of each room first, which is quick for frequent words and fills their page. For
-- others it intersects the index of parts of words with that of rooms. Without that index, or for words that are
-- shorter than its parts, the page ends where the look at some room ended: `next_before` is where the next call goes
-- on.
create or replace function search_messages(
    p_tenant bigint, p_user text, p_words jsonb, p_room text, p_sender text, p_before bigint, p_limit bigint,
    out is_member boolean, out ids bigint[], out currents text[], out next_before bigint)
language plpgsql stable
set enable_seqscan = off
set jit = off
as $$
declare
    rooms      text[];
    own        text[];
    afters     timestamptz[];
    looks_at   bigint;
    low        bigint;
    is_indexed boolean := has_indexed_word(p_words) and to_regclass('message_texts_by_part') is not null;
    readable   text := 'least(message.sent_at, message.received_at) > source.after
                        and ($7 is null or message.sender = $7)';
    words      text := contains_words('message.folded', p_words);
begin
    select array_agg(room), array_agg(current), array_agg(after) into rooms, own, afters
    from searched_rooms(p_tenant, p_user)
    where p_room is null or p_room in (room, current);
    is_member := p_room is null or rooms is not null;
    if rooms is null then
        return;
    end if;
    looks_at := greatest(20, case when is_indexed then 3000 else 10000 end / cardinality(rooms));
    execute format('
        with scanned as materialized (
            select message.id, message.matrix_room_id, source.current, %s and %s as matches
            from unnest($1, $2, $3) as source (room, current, after)
            cross join lateral (
                select * from message_texts one
                where (one.tenant_id, one.matrix_room_id, one.id) < ($4, source.room, $5)
                  and (one.tenant_id, one.matrix_room_id, one.id) >= ($4, source.room, 0)
                order by one.tenant_id desc, one.matrix_room_id desc, one.id desc limit $8
            ) message
        ),
        -- A room that was not looked at to its end may have more below.
        looked as materialized (
            select max(low) as low
            from (select min(id) as low from scanned group by matrix_room_id having count(*) = $8) unfinished
        ), page as (
            select id, current from scanned
            where matches and id >= coalesce((select low from looked), 0)
            order by id desc limit $6 + 1
        )
        select array_agg(id order by id desc), array_agg(current order by id desc), (select low from looked)
        from page', readable, words)
    into ids, currents, low using rooms, own, afters, p_tenant, p_before, p_limit, p_sender, looks_at;
    if is_indexed and low is not null and coalesce(cardinality(ids), 0) <= p_limit then
        low := null;
        -- All that match are sorted here: in the order of the ids the planner would hope for an early match, and
        -- read the whole table if there is none.
        execute format('
            with found as materialized (
                select message.id, message.matrix_room_id, message.sender, message.sent_at, message.received_at
                from message_texts message
                where message.tenant_id = $4 and message.matrix_room_id = any ($1) and message.id < $5 and %s
            ), page as (
                select message.id, source.current
                from found message
                join unnest($1, $2, $3) as source (room, current, after) on source.room = message.matrix_room_id
                where %s
                order by message.id desc limit $6 + 1
            )
            select array_agg(id order by id desc), array_agg(current order by id desc) from page', words, readable)
        into ids, currents using rooms, own, afters, p_tenant, p_before, p_limit, p_sender;
    end if;
    next_before := low;
    if cardinality(ids) > p_limit then
        next_before := ids[p_limit];
        ids := ids[:p_limit];
        currents := currents[:p_limit];
    end if;
end $$;

-- Deletes texts that arrived before the retention, and those of closed rooms: 5000 of each at most. Adds the
-- entries of new texts to the index, which a sender would do otherwise when there are many.
create or replace function tidy_message_texts(p_retention interval) returns void
language plpgsql as $$
begin
    -- Their ids are in the order of their times.
    delete from message_texts
    where received_at < now() - p_retention and id in (select id from message_texts order by id limit 5000);
    delete from message_texts
    where id in (
        select message.id from closed_rooms closed
        join message_texts message
          on message.tenant_id = closed.tenant_id and message.matrix_room_id = closed.matrix_room_id
        limit 5000);
    perform gin_clean_pending_list(to_regclass('message_texts_by_part'));
end $$;
