#!lua flags=allow-oom
-- giveback: returns leased jobs that were not tried; this counts no attempt. Stores the site of their destination.
-- KEYS 1 partition root. site_life_s: how long a site is stored. site: '' = not known. delay_ms: 0 = the job is first
-- in its list.
--@include base record change turns ready
--@args owner site_life_s:digits
--@item ref epoch:number site delay_ms:number
-- returns for each job 1, or 0: it is not leased to the owner
local ids, refs, reply = {}, {}, {}
local is_given, leases_over, due = {}, {}, {}
local learned, destinations = {}, {}           -- destination -> site; the destinations in order
for i = 1, item_count do
	refs[i] = item_ref(i)
	ids[i] = split_ref(refs[i])
end
local found, leases = load_messages(ids), read_in_pieces('HMGET', key_lease(), refs)

local function learn_site(destination, site)
	if site == '' or sub(destination, 1, 5) == 'sink/' or learned[destination] then return end
	learned[destination] = site
	destinations[#destinations + 1] = destination
end

local function put_back(message, job, ref, delay_ms)
	if job.open == 0 then return end           -- it ended while it was leased
	if delay_ms == 0 then return make_ready(message.lane, message.project, job.destination, ref) end
	due[#due + 1] = digits(now_ms + delay_ms)
	due[#due + 1] = ref
end

for i = 1, #refs do
	local ref, message, lease = refs[i], found[ids[i]], parse_lease(leases[i])
	local _, job_number = split_ref(ref)
	local job = message and message.jobs[job_number]
	reply[i] = 0
	if job and lease and lease.owner == owner and lease.epoch == item_epoch(i) and not is_given[ref] then
		reply[i] = 1
		is_given[ref] = true
		leases_over[#leases_over + 1] = ref
		if job.epoch < lease.epoch then job.epoch, changed[ids[i]] = lease.epoch, message end
		learn_site(job.destination, item_site(i))
		put_back(message, job, ref, item_delay_ms(i))
	end
end

-- Moves the turns of a destination to its new site.
local function move_turns(destination, old_site, site)
	for i = 1, #LANES do
		local lane = LANES[i]
		local projects = call('ZRANGE', key_queue_projects(lane, old_site), '0', '-1')
		for n = 1, #projects do
			local turns = key_queue_destinations(lane, projects[n], old_site)
			if call('LREM', turns, '1', destination) == 1 then
				if call('EXISTS', turns) == 0 then remove_project(lane, projects[n], old_site) end
				add_destination(lane, projects[n], site, destination)
			end
		end
	end
end

local old_sites = sites_of(destinations)
for i = 1, #destinations do
	local destination = destinations[i]
	local site, old_site = learned[destination], old_sites[destination]
	if site == destination then call('DEL', key_site(destination))
	else call('SET', key_site(destination), site, 'EX', site_life_s) end
	if old_site ~= site then move_turns(destination, old_site, site) end
end
call_in_pieces('HDEL', key_lease(), leases_over)
call_in_pieces('ZREM', key_lease_end(), leases_over)
call_in_pieces('ZADD', key_due(), due)
write_ready('LPUSH')
write_changes(0)
return reply
