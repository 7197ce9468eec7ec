-- pop.lua: takes refs from the lists of ready jobs, in turn, and finds those that can be tried.
local MAX_LOOKS = 2000
local looks_left = MAX_LOOKS                   -- refs to look at, finished jobs too; at 0 take ends
local BATCH = 16                               -- records that are read at once
local damaged = {}
local expired = 0                              -- jobs whose deadline passed

local popped = { otp = 0, normal = 0, bulk = 0 }    -- refs taken from the lists of each lane
local popped_otp = {}                          -- tenant -> refs taken from its lists of lane otp
local is_capped = {}                           -- tenant -> true: no connection is opened for it
local capped_count = 0
local VAIN_MAX = 200                           -- refs without a job to try that take looks at for each tenant
local vain = {}                                -- tenant -> such refs: popped, and not picked
local vain_count = 0                           -- tenants that have reached VAIN_MAX, or more
local turn_lengths = {}                        -- tenant -> 1 / weight

-- Returns what a turn adds to the score of the tenant.
local function turn_length(project)
	local length = turn_lengths[project]
	if not length then
		length = 1 / (call('HGET', key_weights(), project) or 1)
		turn_lengths[project] = length
	end
	return length
end

local function count_popped(lane, project, count)
	popped[lane] = popped[lane] + count
	looks_left = looks_left - count
	local before = vain[project] or 0
	vain[project] = before + count
	if before < VAIN_MAX and before + count >= VAIN_MAX then vain_count = vain_count + 1 end
	if lane == 'otp' then popped_otp[project] = (popped_otp[project] or 0) + count end
end

-- True if the tenant has had its looks of this call. The refs of canceled jobs stay in the lists until they are popped.
local function is_out_of_looks(project) return (vain[project] or 0) >= VAIN_MAX end

-- Appends up to `count` refs of a project at a site to `refs`, from its destinations in turn. Returns true if it has no
-- more there.
-- The numbers for LRANGE and LPOP are strings, because Lua would convert numbers to text as doubles, which is slow.
local function pop_project(lane, project, site, count, refs)
	local turns = key_queue_destinations(lane, project, site)
	while count > 0 do
		local destinations = call('LRANGE', turns, '0', '1')
		local queue = key_queue(lane, project, destinations[1] or '')
		local wanted = #destinations < 2 and count or 1
		local got = call('LPOP', queue, wanted == 1 and '1' or digits(wanted)) or {}
		for i = 1, #got do refs[#refs + 1] = got[i] end
		count_popped(lane, project, #got)
		count = count - #got
		if #got < wanted or call('EXISTS', queue) == 0 then
			call('LPOP', turns)
			if #destinations < 2 then
				remove_project(lane, project, site)
				return true
			end
		elseif #destinations > 1 then call('LMOVE', turns, turns, 'LEFT', 'RIGHT') end
	end
	return false
end

-- Appends up to `count` refs to `refs`, one from each project in turn. list: {project, score}, in the order of turns.
local function pop_in_turn(lane, site, count, refs, list)
	local changes = {}
	while #refs < count and #list > 0 do
		local place = find_least(list)
		local entry = list[place]
		local project = entry.project
		if pop_project(lane, project, site, 1, refs) then
			changes[project] = nil
			table.remove(list, place)
		else
			entry.score = entry.score + turn_length(project)
			changes[project] = entry.score
		end
	end
	write_scores(key_queue_projects(lane, site), changes)
end

-- Returns up to `count` refs of a site, from its projects in turn. is_for_new: they go to new connections, so without
-- projects that are capped. Projects without looks are skipped.
local function pop_site(lane, site, count, is_for_new)
	local refs, list = {}, {}
	local last = count + vain_count + (is_for_new and capped_count or 0)
	local last_text = last == 1 and '1' or digits(last)
	local page = call('ZRANGE', key_queue_projects(lane, site), '0', last_text, 'WITHSCORES')
	for i = 1, #page, 2 do
		if not is_out_of_looks(page[i]) and not (is_for_new and is_capped[page[i]]) then
			list[#list + 1] = { project = page[i], score = tonumber(page[i + 1]) }
		end
	end
	if #page == 2 and list[1] then pop_project(lane, list[1].project, site, count, refs)
	else pop_in_turn(lane, site, count, refs, list) end
	return refs
end

-- Subtracts the popped refs from the counters of ready jobs.
local function write_popped()
	for lane, count in pairs(popped) do
		if count > 0 then call('HINCRBY', key_ready(), lane, -count) end
	end
	for project, count in pairs(popped_otp) do
		if call('HINCRBY', key_otp_waiting(), project, -count) <= 0 then
			call('HDEL', key_otp_waiting(), project)
		end
	end
end

local has_suppressions = {}                    -- tenant -> true if it has a suppression list

-- Returns the addresses to look up for these jobs: tenant -> list. list.of has {id, message, number} of each address.
local function addresses_to_look_up(refs)
	local asked = {}
	for i = 1, #refs do
		local id, job_number = split_ref(refs[i])
		local message = messages[id]
		if message and message.deadline_ms > now_ms then
			local tenant = message.project
			if has_suppressions[tenant] == nil then
				has_suppressions[tenant] = call('EXISTS', key_suppressed(tenant)) == 1
			end
			message = has_suppressions[tenant] and whole(id)
			if message then
				local list = asked[tenant] or { of = {} }
				asked[tenant] = list
				each_open(message, job_number, function(r, recipient)
					list[#list + 1] = lower(recipient.email)
					list.of[#list] = { id, message, r }
				end)
			end
		end
	end
	return asked
end

-- Ends recipients that were suppressed after their message was accepted.
local function suppress_popped(refs)
	for tenant, list in pairs(addresses_to_look_up(refs)) do
		local entries = read_in_pieces('HMGET', key_suppressed(tenant), list)
		for i = 1, #list do
			local id, message, r = unpack(list.of[i])
			if entries[i] then set_state(id, message, r, 'suppressed', 0, '-', SUPPRESSED_TEXT) end
		end
	end
end

-- Loads the heads of the records of popped refs into `messages`.
local function load_popped(refs)
	local ids = {}
	for i = 1, #refs do ids[i] = split_ref(refs[i]) end
	load_heads(ids)
	suppress_popped(refs)
end

-- Returns message, id and number of a job; nil if the job has no open recipients or is past its deadline.
local function find_job(ref)
	local id, job_number = split_ref(ref)
	local message = messages[id]
	if message and message.deadline_ms <= now_ms then message = whole(id) end
	local job = message and job_of(message, job_number)
	if not job then                            -- no text: the message ended and was swept
		if texts[id] then damaged[#damaged + 1] = ref end
		return nil
	end
	if job.open == 0 then return nil end       -- it has ended; only its ref was left in the list
	if message.deadline_ms <= now_ms then
		each_open(message, job_number, function(r)
			set_state(id, message, r, 'expired', 0, '-', 'deadline passed')
		end)
		expired = expired + 1
		return nil
	end
	return message, id, job_number
end
