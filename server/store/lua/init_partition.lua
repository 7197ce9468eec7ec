#!lua flags=allow-oom
-- init_partition: sets the cursors of a new partition. Allowed in a full store, which can start and drain.
-- KEYS 1 partition root. Returns 1.
--@include base
call('SET', key_deadline_cursor(), floor(now_ms / MINUTE_MS), 'NX')
call('SET', key_retention_cursor(), floor(now_ms / HOUR_MS), 'NX')
return 1
