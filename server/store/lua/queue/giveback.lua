#!lua flags=allow-oom
-- giveback: returns leased jobs that were not tried; this counts no attempt. Stores the site of their destination.
-- KEYS 1 partition root. site_life_s: how long a site is stored. taken_site: where take found the job. site: '' = not
-- known. delay_ms: 0 = the job is first in its list.
--@include base record change turns ready
--@args owner site_life_s:digits
--@item ref epoch:number taken_site site delay_ms:number
-- returns for each job 1, or 0: it is not leased to the owner
local ids, refs, reply = {}, {}, {}
local is_given, leases_over, due = {}, {}, {}
local learned = {}                             -- destination -> site
local has_moved = {}                           -- key of a list of ready jobs -> true: its turn has moved
for i = 1, item_count do
	refs[i] = item_ref(i)
	ids[i] = split_ref(refs[i])
end
local found, leases = load_messages(ids), read_in_pieces('HMGET', key_lease(), refs)

local function learn_site(destination, site)
	if site == '' or sub(destination, 1, 5) == 'sink/' or learned[destination] then return end
	learned[destination] = site
	if site == destination then call('DEL', key_site(destination))
	else call('SET', key_site(destination), site, 'EX', site_life_s) end
end

-- Moves the turn of a destination of a project from the site where take found it, if it still stands there.
local function move_turn(lane, project, destination, taken_site, site)
	local queue, turns = key_queue(lane, project, destination), key_queue_destinations(lane, project, taken_site)
	if has_moved[queue] or call('EXISTS', queue) == 0 then return end
	if call('LREM', turns, '-1', destination) == 0 then return end    -- it is at the end: its turn was the last
	has_moved[queue] = true
	if call('EXISTS', turns) == 0 then remove_project(lane, project, taken_site) end
	add_destination(lane, project, site, destination)
end

-- The turns of other projects move when their jobs are given back. Jobs of lane otp may wait in lane normal, too.
local function move_turns(message, destination, taken_site)
	local site = learned[destination]
	if not site or site == taken_site then return end
	move_turn(message.lane, message.project, destination, taken_site, site)
	if message.lane == 'otp' then move_turn('normal', message.project, destination, taken_site, site) end
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
		move_turns(message, job.destination, item_taken_site(i))
		put_back(message, job, ref, item_delay_ms(i))
	end
end

call_in_pieces('HDEL', key_lease(), leases_over)
call_in_pieces('ZREM', key_lease_end(), leases_over)
call_in_pieces('ZADD', key_due(), due)
write_ready('LPUSH')
write_changes(0)
return reply
