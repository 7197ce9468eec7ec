#!lua flags=allow-oom
-- release: takes back expired leases, or all leases and connections of a dead owner. A job before its dot is first in
-- its list again. After 3 crashes it is deferred, longer each time; after `crashes_max` it is held. The outcome of a
-- job at its dot is unknown: it fails if its message has the choice "fail", else it is deferred.
-- KEYS 1 partition root. owner: the dead one, '' = whatever expired. retry_ms: delay after a crash.
-- spread: a random number 0-999, for the delays.
--@include base record change turns ready slots
--@args most:number retention_ms:number retry_ms:number crashes_max:number owner spread:number
-- released: leases. deferred, failed: jobs with an unknown outcome. held: jobs. silent: owners that count as dead.
-- has_more: 1 = there are more leases, run again.
--@returns released deferred failed held silent has_more
local UNKNOWN_RETRY_MS = 1000                  -- short, because the server did not ask for a delay
local refs, leases, damaged, due = {}, {}, {}, {}
local deferred, failed, held, silent, has_more = 0, 0, 0, 0, 0

-- Removes a dead owner and returns its slots.
local function forget_owner(name)
	local slots = call('HGETALL', key_slots_of(name))
	for i = 1, #slots, 2 do
		if slots[i] ~= '#' then return_slots(name, slots[i], tonumber(slots[i + 1])) end
	end
	call('DEL', key_slots_of(name), key_last_take(name))
	call('ZREM', key_owners(), name)
end

local function find_leases_of_owner()
	local all = call('HGETALL', key_lease())
	for i = 1, #all, 2 do
		local lease = parse_lease(all[i + 1])
		if lease and lease.owner == owner then
			if #refs < most then
				refs[#refs + 1] = all[i]
				leases[#refs] = lease
			else
				has_more = 1
			end
		end
	end
	if has_more == 0 then forget_owner(owner) end
end

local function find_leases_over()
	refs = call('ZRANGEBYSCORE', key_lease_end(), '-inf', now_digits, 'LIMIT', 0, digits(most))
	if #refs == most then has_more = 1 end
	local got = read_in_pieces('HMGET', key_lease(), refs)
	for i = 1, #refs do leases[i] = parse_lease(got[i]) or false end
	local unheard = call('ZRANGEBYSCORE', key_owners(), '-inf', now_digits, 'LIMIT', 0, 100)
	for i = 1, #unheard do forget_owner(unheard[i]) end
	silent = #unheard
end

local function set_open(id, message, job_number, state, flag, text)
	each_open(message, job_number, function(r, recipient)
		if flag == 'dup' then recipient.attempts = recipient.attempts + 1 end
		set_state(id, message, r, state, 0, flag, text)
	end)
end

local function try_later(message, ref, delay_ms)
	due[#due + 1] = digits(max(min(now_ms + delay_ms, message.deadline_ms), now_ms))
	due[#due + 1] = ref
end

-- The relay died at the dot, or before it settled the result.
local function end_unknown(id, message, job_number, ref, lease)
	local events, is_failed = message.events, has_choice(message, 'fail')
	set_open(id, message, job_number, is_failed and 'failed' or 'deferred', 'dup',
		'the outcome is unknown: no reply to the final dot was seen')
	events = message.events - events
	if events > 0 then add_attempt(id, message, job_number, lease.epoch, events, '-') end
	if is_failed then
		failed = failed + 1
	else
		deferred = deferred + 1
		try_later(message, ref, UNKNOWN_RETRY_MS + spread)
	end
end

-- The relay died before the dot. number: the place of the job in this call, to spread the delays.
local function end_crashed(id, message, job_number, ref, number)
	local job = message.jobs[job_number]
	job.crashes = job.crashes + 1
	local text = 'the relay died ' .. job.crashes .. ' times with this message'
	if job.crashes >= crashes_max then
		held = held + 1
		set_open(id, message, job_number, 'held', '-', text)
	elseif job.crashes > 2 then
		set_open(id, message, job_number, 'deferred', '-', text)
		try_later(message, ref, retry_ms * job.crashes * (1000 + (spread * (number + 7)) % 1000) / 1000)
	else
		make_ready(message.lane, message.project, job.destination, ref)
	end
end

if owner ~= '' then find_leases_of_owner() else find_leases_over() end
local ids = {}
for i = 1, #refs do ids[i] = split_ref(refs[i]) end
local found = load_messages(ids)
for i = 1, #refs do
	local ref, lease, message = refs[i], leases[i], found[ids[i]]
	local id, job_number = split_ref(ref)
	local job = message and message.jobs[job_number]
	if not job or not lease then               -- if its record was swept, the job is not damaged
		if not (lease and lease.dot and not texts[id]) then damaged[#damaged + 1] = ref end
	else
		job.epoch = lease.epoch
		changed[id] = message
		local is_over = job.open == 0          -- it ended while it was leased
		if lease.dot and not is_over then end_unknown(id, message, job_number, ref, lease)
		elseif not is_over then end_crashed(id, message, job_number, ref, i) end
	end
end
local released = #refs
call_in_pieces('HDEL', key_lease(), refs)
call_in_pieces('ZREM', key_lease_end(), refs)
call_in_pieces('ZADD', key_due(), due)
call_in_pieces('RPUSH', key_damaged(), damaged)
write_ready('LPUSH')
write_changes(retention_ms)
return { released, deferred, failed, held, silent, has_more }
