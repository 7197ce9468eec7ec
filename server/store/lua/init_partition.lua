#!lua flags=allow-oom
-- init_partition: sets the cursors of a new partition, and stores the setting that several transitions read. Allowed in
-- a full store, so that Postern can start and deliver its mail.
-- KEYS 1 partition root. otp_limit: ready jobs of a tenant that lane otp takes. may_make: 0 = the partition was made
-- before. If its Redis came back without data, nothing is written.
--@include base
--@args otp_limit:digits instance may_make:flag
-- kept: the instance that the partition belongs to; '' = it is empty, and may_make is 0
--@returns kept root
local kept = call('GET', key_instance()) or ''
if kept == '' and may_make then
	call('SET', key_instance(), instance)
	kept = instance
end
if kept ~= instance then return { kept, root } end
call('SET', key_deadline_cursor(), floor(now_ms / MINUTE_MS), 'NX')
call('SET', key_retention_cursor(), floor(now_ms / HOUR_MS), 'NX')
call('SET', key_otp_limit(), otp_limit)
return { kept, root }
