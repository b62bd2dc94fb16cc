-- When the homeserver last pushed a transaction: while it does not, the worker looks for new rooms itself.
alter table reconciliation add column pushed_at timestamptz;
