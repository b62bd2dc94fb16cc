create table if not exists bench_insert (
    id bigint generated always as identity primary key,
    at timestamptz not null default clock_timestamp(),
    title text not null,
    body text not null
);
