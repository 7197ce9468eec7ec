#!lua flags=allow-oom
-- init_partition: sets the cursors of a new partition, and stores the setting that several transitions read. Allowed in
-- a full store, so that Postern can start and deliver its mail.
-- KEYS 1 partition root. otp_limit: ready jobs of a tenant that lane otp takes. Returns 1.
--@include base
--@args otp_limit:digits
call('SET', key_deadline_cursor(), floor(now_ms / MINUTE_MS), 'NX')
call('SET', key_retention_cursor(), floor(now_ms / HOUR_MS), 'NX')
call('SET', key_otp_limit(), otp_limit)
return 1
