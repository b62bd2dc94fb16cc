-- What people see of their rooms: names, the last message, and how much of it is unread.

alter table rooms
    add column name            text,
    add column topic           text,
    add column created_by      text,
    -- Counts the messages of the room; grows by one with each, whoever sent it and from wherever.
    add column message_count   bigint not null default 0,
    add column last_message    text,
    add column last_message_ts timestamptz;

-- How many messages of the room the member has read: unread is `rooms.message_count - read_count`, without counting.
alter table room_members add column read_count bigint not null default 0;
