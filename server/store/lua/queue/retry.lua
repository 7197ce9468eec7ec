#!lua
-- retry: makes deferred jobs of a message ready now instead of later, and frees held ones. Their sites rest no longer.
-- KEYS 1 partition root
--@include base record change ready
--@args retention_ms:number id
-- again: jobs that are ready now. leased: jobs that a relay has. other: open jobs that are neither.
-- {-1, 0, 0}: there is no such message. Run again: nothing changes, as no job is deferred or held any more.
--@returns again leased other
local message = load_messages({ id })[id]
if not message then return { -1, 0, 0 } end
local again, leased, other, destinations = 0, 0, 0, {}

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
for _, site in pairs(sites_of(destinations)) do call('DEL', key_rest(site)) end
write_ready('RPUSH')
write_changes(retention_ms)
return { again, leased, other }
