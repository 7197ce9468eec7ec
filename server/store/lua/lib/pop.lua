-- pop.lua: takes refs from the lists of ready jobs, in turn, and finds those that can be tried.
local MAX_LOOKS = 2000
local looks_left = MAX_LOOKS                   -- refs to look at, finished jobs too; at 0 take ends
local BATCH = 16                               -- records that are read at once
local damaged = {}
local expired = 0                              -- jobs whose deadline passed

-- Appends up to `count` refs of a destination to `refs`, from its projects in turn.
-- The numbers for LRANGE and LPOP are strings, because Lua would convert numbers to text as doubles, which is slow.
local function pop_destination(lane, destination, count, refs)
	local turns = key_queue_projects(lane, destination)
	while count > 0 do
		local projects = call('LRANGE', turns, '0', '1')
		if #projects == 0 then return end
		local queue = key_queue(lane, projects[1], destination)
		local wanted = #projects == 1 and count or 1
		local popped = call('LPOP', queue, wanted == 1 and '1' or wanted) or {}
		for i = 1, #popped do refs[#refs + 1] = popped[i] end
		count = count - #popped
		if #popped < wanted or call('EXISTS', queue) == 0 then call('LPOP', turns)
		elseif #projects > 1 then call('LMOVE', turns, turns, 'LEFT', 'RIGHT') end
	end
end

-- Returns up to `count` refs of a site, from its destinations in turn.
local function pop_site(lane, site, count)
	local turns, refs = key_queue_destinations(lane, site), {}
	while #refs < count do
		local destinations = call('LRANGE', turns, '0', '1')
		if #destinations == 0 then break end
		local destination = destinations[1]
		pop_destination(lane, destination, #destinations == 1 and count - #refs or 1, refs)
		if call('EXISTS', key_queue_projects(lane, destination)) == 0 then call('LPOP', turns)
		elseif #destinations > 1 then call('LMOVE', turns, turns, 'LEFT', 'RIGHT') end
	end
	return refs
end

local has_suppressions = {}                    -- tenant -> true if it has a suppression list

-- Returns the addresses to look up for these jobs: tenant -> list. list.of has {id, message, number} of each address.
local function addresses_to_look_up(refs)
	local asked = {}
	for i = 1, #refs do
		local id, job_number = split_ref(refs[i])
		local message = messages[id]
		if message and message.jobs[job_number] and message.deadline_ms > now_ms then
			local tenant = message.project
			if has_suppressions[tenant] == nil then
				has_suppressions[tenant] = call('EXISTS', key_suppressed(tenant)) == 1
			end
			local list = has_suppressions[tenant] and (asked[tenant] or { of = {} })
			if list then
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

-- Returns up to `count` refs of a site and loads their records into `messages`.
local function pop_jobs(lane, site, count)
	local refs, ids = pop_site(lane, site, count), {}
	looks_left = looks_left - #refs
	for i = 1, #refs do ids[i] = split_ref(refs[i]) end
	load_messages(ids)
	suppress_popped(refs)
	return refs
end

-- Returns message, id and number of a job; nil if the job has no open recipients or is past its deadline.
local function find_job(ref)
	local id, job_number = split_ref(ref)
	local message = messages[id]
	local job = message and message.jobs[job_number]
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
