-- Stores the inputs of alarms that a batch of notifications has (see `accept_notifications`), and the alarms that
-- are not stored yet. Returns the alarm of each entry; null for an entry without one. The caller holds the lock of
-- the event log, so ids are in the order of commits.

create or replace function store_alarm_inputs(
    entries new_entry[], inputs new_alarm_input[], ids bigint[], known_ids bigint[], at timestamptz) returns bigint[]
language plpgsql as $$
declare
    of_entries bigint[];
begin
    with entry as materialized (
        select entry.n, entry.tenant_id, entry.source_app,
               coalesce(input.dedup_key, 'n:' || ids[entry.n]) as dedup_key
        from unnest(inputs) as input
        join unnest(entries) as entry on entry.n = input.n
        where known_ids is null or known_ids[entry.n] is null
    ), wanted as materialized (
        select distinct tenant_id, source_app, dedup_key from entry
    ), known as materialized (
        select alarm.id, alarm.tenant_id, alarm.source_app, alarm.dedup_key
        from wanted join alarms alarm using (tenant_id, source_app, dedup_key)
    ), created as (
        insert into alarms (tenant_id, source_app, dedup_key)
        select tenant_id, source_app, dedup_key from wanted
        except select tenant_id, source_app, dedup_key from known
        returning id, tenant_id, source_app, dedup_key
    ), alarm as (
        select * from known union all select * from created
    )
    select array_agg(alarm.id order by number)
    into of_entries
    from generate_series(1, cardinality(entries)) as number
    left join entry on entry.n = number
    left join alarm using (tenant_id, source_app, dedup_key);

    insert into alarm_inputs (alarm_id, received_at, action, notification_id, occurred_at, ack_required,
                              ack_expires_after, resolve_after)
    select of_entries[input.n], at, input.action, ids[input.n], input.occurred_at, input.ack_required,
           input.ack_expires_after, input.resolve_after
    from unnest(inputs) as input
    where of_entries[input.n] is not null
    order by input.n;
    return of_entries;
end $$;
