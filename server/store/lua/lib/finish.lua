-- finish.lua: ends the open recipients of messages, except those of jobs at their final dot. Refs stay in the lists of
-- ready jobs, because removing one from the middle of a list costs O(n). take drops them when it reaches them.
local finish_leases = {}                       -- ref -> lease
local leases_over = {}
local due_over = {}

-- Ends one message. Returns the number of recipients that ended, and of those that stay open because of a dot.
local function finish_message(id, message, state, text)
	local ended_count, held_count, is_free = 0, 0, {}
	for j = 0, message.job_count - 1 do
		local ref, job = job_ref(id, j), message.jobs[j]
		local lease = finish_leases[ref]
		local is_at_dot = lease and lease.dot
		is_free[j] = job.open > 0 and not is_at_dot
		if is_at_dot then
			held_count = held_count + job.open
		elseif is_free[j] and lease then
			leases_over[#leases_over + 1] = ref
			job.epoch = lease.epoch
		elseif is_free[j] then
			due_over[#due_over + 1] = ref
		end
	end
	for r = 0, message.recipient_count - 1 do
		local recipient = message.recipients[r]
		if is_free[recipient.job] and is_open(recipient) then
			set_state(id, message, r, state, 0, '-', text)
			ended_count = ended_count + 1
		end
	end
	return ended_count, held_count
end

local function read_finish_leases(found)
	local refs = {}
	for id, message in pairs(found) do
		for j = 0, message and message.job_count - 1 or -1 do
			if message.jobs[j].open > 0 then refs[#refs + 1] = job_ref(id, j) end
		end
	end
	local got = read_in_pieces('HMGET', key_lease(), refs)
	for i = 1, #refs do finish_leases[refs[i]] = parse_lease(got[i]) end
end

-- Returns for each id {recipients that ended, recipients that stay open because of a dot}; {-1, 0}: no such message.
local function finish(ids, state, text)
	local found, is_done, results = load_messages(ids), {}, {}
	read_finish_leases(found)
	for i = 1, #ids do
		local id, message = ids[i], found[ids[i]]
		if not message then results[i] = { -1, 0 }
		elseif is_done[id] then results[i] = { 0, 0 }
		else
			is_done[id] = true
			results[i] = { finish_message(id, message, state, text) }
		end
	end
	call_in_pieces('HDEL', key_lease(), leases_over)
	call_in_pieces('ZREM', key_lease_end(), leases_over)
	call_in_pieces('ZREM', key_due(), due_over)
	return results
end
