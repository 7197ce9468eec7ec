#!lua
-- retry: makes the deferred and held jobs of a message ready now. A site that rests continues to rest: take tries one
-- of these jobs there, and defers the others.
-- KEYS 1 partition root
--@include base record change turns ready
--@args retention_ms:number least_ms:number request id
-- least_ms: least time between two retries of a message. request: a unique name of this request.
-- again: jobs that became ready; -1: no such message. leased: jobs that a relay has. other: all other open jobs.
-- wait_ms: above 0 = too early, nothing was changed.
-- Run again: nothing changes, because no job is deferred or held any more.
--@returns again leased other wait_ms
local message = load_messages({ id })[id]
if not message then return { -1, 0, 0, 0 } end
local REMEMBER_MS = '600000'                   -- longer than least_ms and than a rest
local until_ms, last_request = match(call('GET', key_retried(id)) or '0 ', '^(%d+) (.*)$')
local wait_ms = until_ms - now_ms
if wait_ms > 0 and wait_ms <= least_ms and last_request ~= request then return { 0, 0, 0, wait_ms } end
wait_ms = 0
local again, leased, other, destinations, ready_refs = 0, 0, 0, {}, {}

local function numbers_in_state(job_number, state)
	local numbers = {}
	each_open(message, job_number, function(r, recipient)
		if recipient.state == state then numbers[#numbers + 1] = r end
	end)
	return numbers
end

local function try_now(job, ref)
	make_ready(message.lane, message.project, job.destination, ref)
	destinations[#destinations + 1] = job.destination
	ready_refs[#ready_refs + 1] = ref
	again = again + 1
end

local function free_held(job, numbers)
	for i = 1, #numbers do set_state(id, message, numbers[i], 'queued', 0, '-', 'released by request') end
	job.crashes = 0
end

for j = 0, message.job_count - 1 do
	local job, ref, held = message.jobs[j], job_ref(id, j), numbers_in_state(j, 'held')
	if job.open > 0 and call('HEXISTS', key_lease(), ref) == 1 then leased = leased + 1
	elseif #held > 0 then
		free_held(job, held)
		try_now(job, ref)
	elseif #numbers_in_state(j, 'deferred') > 0 and call('ZREM', key_due(), ref) == 1 then try_now(job, ref)
	elseif job.open > 0 then other = other + 1 end
end
local sites = sites_of(destinations)
for i = 1, #ready_refs do
	local asked = key_asked(sites[destinations[i]])
	if call('EXISTS', key_rest(sites[destinations[i]])) == 1 then
		call('SADD', asked, ready_refs[i])
		call('PEXPIRE', asked, REMEMBER_MS)
	end
end
if again > 0 then call('SET', key_retried(id), digits(now_ms + least_ms) .. ' ' .. request, 'PX', REMEMBER_MS) end
write_ready('RPUSH')
write_changes(retention_ms)
return { again, leased, other, wait_ms }
