#!lua flags=allow-oom
-- promote: makes due jobs ready. They queue after the jobs that are ready already.
-- KEYS 1 partition root
--@include base record turns ready
--@args most:digits
-- wait_ms: time until the next job is due; -1 = no job waits
--@returns moved wait_ms
local refs = call('ZRANGEBYSCORE', key_due(), '-inf', now_digits, 'LIMIT', 0, most)
local ids, damaged, moved = {}, {}, 0
for i = 1, #refs do ids[i] = split_ref(refs[i]) end
local found = load_messages(ids)
for i = 1, #refs do
	local message, _, job_number = found[ids[i]], split_ref(refs[i])
	local job = message and message.jobs[job_number]
	if not job then damaged[#damaged + 1] = refs[i]
	elseif job.open > 0 then
		make_ready(message.lane, message.project, job.destination, refs[i])
		moved = moved + 1
	end
end
call_in_pieces('ZREM', key_due(), refs)
call_in_pieces('RPUSH', key_damaged(), damaged)
write_ready('RPUSH')
local next_due, wait_ms = call('ZRANGE', key_due(), 0, 0, 'WITHSCORES')[2], -1
if next_due then wait_ms = max(ceil(tonumber(next_due) - now_ms), 0) end
return { moved, wait_ms }
