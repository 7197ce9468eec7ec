#!lua flags=allow-oom
-- take: leases jobs to an owner, for its open connections and for new ones that it may open.
-- Lanes have the order otp, normal, bulk, within a site and among new connections. normal and bulk have an exact share
-- over time. Within a lane the projects take turns: turns.lua. Recipients that were suppressed after accept end here.
-- Jobs past their deadline expire here.
-- KEYS 1 partition root
--@include base record change turns ready slots pop line site_rest grant
--@args owner request:digits max_jobs:number max_bytes:number lease_ms:number silence_ms:number site_limit:number
--@args free:number otp_free:number capped bulk_share:number normal_share:number retention_ms:number is_complete:flag
--@item site wanted:number more:number connections:number
-- request: with the same number again, the reply has the same jobs and slots. silence_ms: an owner without a sign of
-- life for this time counts as dead. free: connections that the owner may open; -1: none, and `waiting` stays 0, which
-- saves looking at sites. otp_free: further ones, only for jobs of lane otp. capped: tenants, with blanks between them,
-- for which no connection is opened. shares: per mille. is_complete: the items are all connections of the owner; other
-- slots that count as its own were granted in a reply that was lost.
-- One item for each site with connections: jobs wanted for them, more connections wanted, connections it has.
--@returns now_ms granted jobs expired deferred waiting
-- granted: rows of slots. jobs: rows of jobs. expired: jobs. deferred: recipients. content: '' = in chunks, or gone.
-- waiting: 1 = a tenant that is not capped has ready jobs at a site without a connection, and free ran out; 2 = such
-- jobs are in lane otp, and otp_free ran out, too. project: the tenant for which the connections are granted.
--@row slot site connections project
--@row job ref epoch site record content
local LAST_TAKE_MS = '86400000'
local picked = { otp = {}, normal = {}, bulk = {} }    -- lane -> {ref, epoch, site, id}
local job_count, byte_count = 0, 0
local waiting = 0
local picked_for = {}                          -- the tenant of each picked job

local function may_go_on() return job_count < max_jobs and byte_count < max_bytes and looks_left > 0 end

local jobs = {}                                -- the list of the reply

local function add_job(ref, epoch, site, record, content)
	local n = #jobs
	jobs[n + 1], jobs[n + 2], jobs[n + 3], jobs[n + 4], jobs[n + 5] = ref, epoch, site, record, content
end

-- Repeats the reply of the last take, with the jobs that are still leased.
local function take_again(last_take)
	local slot_list, ref_list = match(last_take, '^%S+\n([^\n]*)\n([^\n]*)$')
	local refs, sites, ids = {}, {}, {}
	for site, count, project in gmatch(slot_list, '(%S+) (%d+) (%S+)') do
		add_granted(site, tonumber(count), project)
	end
	for ref, site in gmatch(ref_list, '(%S+) (%S+)') do
		refs[#refs + 1], sites[#sites + 1], ids[#ids + 1] = ref, site, sub(ref, 1, -4)
	end
	local leases = read_in_pieces('HMGET', key_lease(), refs)
	load_heads(ids)
	for i = 1, #refs do
		local lease, id = parse_lease(leases[i]), ids[i]
		if lease and lease.owner == owner and texts[id] then
			add_job(refs[i], lease.epoch, sites[i], texts[id], contents[id])
		end
	end
	return { now_ms, granted, jobs, expired, deferred, waiting }
end

local last_take = call('GET', key_last_take(owner))
if last_take and sub(last_take, 1, #request + 1) == request .. '\n' then return take_again(last_take) end

-- Leases a job. Returns false for a job without open recipients or past its deadline.
local function pick(lane, site, ref)
	local message, id, job_number = find_job(ref)
	if not message then return false end
	local list = picked[lane]
	list[#list + 1] = { ref, message.jobs[job_number].epoch + 1, site, id }
	if message.chunks == 0 then byte_count = byte_count + message.bytes end
	job_count = job_count + 1
	picked_for[job_count] = message.project
	vain[message.project] = vain[message.project] - 1
	return true
end

-- Leases the jobs of popped refs and returns their number.
local function pick_all(lane, site, refs)
	local got = 0
	load_popped(refs)
	for i = 1, #refs do if pick(lane, site, refs[i]) then got = got + 1 end end
	return got
end

local has_ready = {}                           -- lane -> true: there are refs in its lists
local ready_counts = call('HMGET', key_ready(), 'otp', 'normal', 'bulk')
for i = 1, #LANES do has_ready[LANES[i]] = tonumber(ready_counts[i] or '0') > 0 end

-- Leases up to `count` jobs of a site in a lane and returns their number. is_for_new: they go to new connections.
local function serve_lane(lane, site, count, is_for_new)
	local got = 0
	while has_ready[lane] and got < count and may_go_on() do
		local wanted = min(count - got, max_jobs - job_count, looks_left, BATCH)
		local refs = pop_site(lane, site, wanted, is_for_new)
		got = got + pick_all(lane, site, refs)
		if #refs < wanted then break end
	end
	return got
end

local taken = tonumber(call('GET', key_taken()) or '0')

-- Returns how many of the next `count` jobs the shares give to bulk and to normal. They are exact in every 1,000 jobs.
-- 617 and 1,000 have no common divisor, so the places of a lane are spread, and takes of equal size meet all lanes.
local function shares(count)
	local bulk, normal = 0, 0
	for number = taken + job_count, taken + job_count + count - 1 do
		local place = number * 617 % 1000
		if place < bulk_share then bulk = bulk + 1
		elseif place < bulk_share + normal_share then normal = normal + 1 end
	end
	return bulk, normal
end

-- Leases up to `count` jobs of a site from all lanes and returns their number.
local function serve_site(site, count, is_for_new)
	if count <= 0 then return 0 end
	local got, bulk, normal = 0, shares(count)
	if bulk > 0 then got = serve_lane('bulk', site, bulk, is_for_new) end
	if normal > 0 then got = got + serve_lane('normal', site, normal, is_for_new) end
	for i = 1, #LANES do
		if got < count then got = got + serve_lane(LANES[i], site, count - got, is_for_new) end
	end
	return got
end

local is_known, connections_of = {}, {}        -- site -> true: the owner has connections there; site -> their number
local free_kept = 0                            -- of free, for the shares of normal and bulk

local function has_free(lane) return free > free_kept or lane == 'otp' and otp_free > 0 end

-- Grants the owner its first connection to the site, for the job that was picked last.
local function open_first(site)
	is_known[site] = true
	grant(owner, site, 1, site_limit)
	add_granted(site, 1, picked_for[job_count])
	if free > free_kept then free = free - 1 else otp_free = otp_free - 1 end
end

-- Defers the ready jobs of a resting site. Returns true if one job that a request made ready is tried, on a new
-- connection.
local function defer_or_try(site, rest)
	local has_tried = false
	defer_site(site, rest, function(lane, ref)
		local message = messages[sub(ref, 1, -4)]
		if has_tried or not may_go_on() or not has_free(lane) or message and is_capped[message.project] then
			return false
		end
		has_tried = pick(lane, site, ref)
		return has_tried
	end)
	if has_tried then open_first(site) end
	return has_tried
end

local has_read_known = false

local function read_known()
	has_read_known = true
	local counted = call('HKEYS', key_slots_of(owner))
	for i = 1, #counted do is_known[counted[i]] = true end
end

-- Whether a first connection to the site may be opened: 'open', 'full', 'rests', or 'later'.
local function judge_site(site)
	if not has_read_known then read_known() end
	if is_known[site] then return 'later' end
	local used, rest = slots_used(site), rest_of(site)
	if used >= site_limit then return 'full'
	elseif not rest then return 'open'
	elseif used > 0 then return 'later'        -- another connection is tried first
	elseif rest.until_ms > now_ms then return 'rests' end
	return 'open'
end

local PROJECT_LOOKS = 64                       -- sites that a project may look at in one turn

-- Opens the first connection to a site for one job of the project. Returns true if there was such a job.
local function open_site(lane, project, site)
	local got, is_over = 0, false
	while got == 0 and not is_over and may_go_on() and not is_out_of_looks(project) do
		local refs = {}
		is_over = pop_project(lane, project, site, 1, refs)
		got = pick_all(lane, site, refs)
	end
	if got == 0 then return false, not is_over end
	open_first(site)
	if not is_over then move_back(lane, project, { site }) end
	return true, false
end

-- A full site gets no turns until a slot is returned.
local function set_full(lane, project, site)
	call('SADD', key_full(), site)
	remove_site(lane, project, site)
end

-- Looks at a site where the project waits. Returns two booleans: it got a first connection; it keeps its place.
local function look_at_site(lane, project, site)
	local how = judge_site(site)
	if how == 'open' then return open_site(lane, project, site)
	elseif how == 'full' then
		set_full(lane, project, site)
		return false, false
	elseif how == 'rests' and deferrals_left > 0 then
		local is_open_now = defer_or_try(site, rest_of(site))
		return is_open_now, call('EXISTS', key_queue_destinations(lane, project, site)) == 1
	end
	return false, true
end

-- Opens a connection for a project, to one of its sites in turn. Returns true if there was one to open.
local function open_for(lane, entry)
	local project = entry.project
	while #entry.passed < PROJECT_LOOKS and not is_out_of_looks(project) do
		local site = looks_in_vain > 0 and may_go_on() and next_site(lane, entry)
		if not site then return false end
		local is_open_now, keeps_place = look_at_site(lane, project, site)
		if keeps_place then entry.passed[#entry.passed + 1] = site end
		if is_open_now then return true end
		looks_in_vain = looks_in_vain - 1
	end
	move_back(lane, project, entry.passed)     -- the next take looks at others
	return false
end

-- Grants up to `count` first connections to sites that wait in a lane, each with one job.
local function open_sites(lane, count)
	if not has_ready[lane] or count <= 0 then return end
	local line, passed = new_line(lane), {}
	while count > 0 and has_free(lane) and may_go_on() and looks_in_vain > 0 do
		local place = find_next(line)
		if not place then break end
		local entry = line[place]
		if open_for(lane, entry) then
			count_turn(line, entry)
			count = count - 1
		else
			looks_in_vain = looks_in_vain - 1
			passed[#passed + 1] = table.remove(line, place)
		end
	end
	if looks_in_vain <= 0 or looks_left <= 0 then    -- the next take looks at others
		for i = 1, #passed do count_turn(line, passed[i]) end
	end
	write_scores(key_lane_projects(lane), line.changes)
end

-- Grants more connections to a site where the owner has some, with a job for each.
local function grow(site, more)
	local first, room, projects = job_count + 1, min(more, site_limit - slots_used(site)), {}
	local count = serve_site(site, min(room, free), true)
	free = free - count
	if free == 0 and count < room then
		local otp_count = serve_lane('otp', site, min(room - count, otp_free), true)
		otp_free, count = otp_free - otp_count, count + otp_count
	end
	if count == 0 then return end
	grant(owner, site, count, site_limit)
	for n = first, job_count do projects[picked_for[n]] = (projects[picked_for[n]] or 0) + 1 end
	for project, connections in pairs(projects) do add_granted(site, connections, project) end
end

-- Leases jobs for the owner's connections to a site, and grants more connections to it.
local function serve_connections(i)
	local site, wanted, more = item_site(i), item_wanted(i), item_more(i)
	local got = serve_site(site, wanted)
	local rests_now = wanted + more > 0 and is_resting(site)
	if got == wanted and more > 0 and has_free('otp') and not rests_now then grow(site, more) end
end

local probes_left = 64                         -- sites to look at, to find out whether a project waits

-- True if the project waits in the lane for a first connection to a site, which could be opened.
local function waits(lane, entry)
	while probes_left > 0 do
		local site = next_site(lane, entry)
		if not site then return false end
		local how = judge_site(site)
		if how == 'open' then return true
		elseif how == 'full' then set_full(lane, entry.project, site)
		else entry.passed[#entry.passed + 1] = site end
		probes_left = probes_left - 1
	end
	move_back(lane, entry.project, entry.passed)
	return false
end

local function has_waiting(lane)
	local line = new_line(lane)
	while has_ready[lane] and probes_left > 0 do
		local place = find_next(line)
		if not place then return false end
		if waits(lane, line[place]) then return true end
		table.remove(line, place)
	end
	return false
end

-- Counts the connections that the owner reports, even if it counted as dead.
local rest_keys = {}
for i = 1, item_count do
	local site = item_site(i)
	is_known[site] = true
	connections_of[site] = item_connections(i)
	rest_keys[i] = key_rest(site)
end
local got_rests = read_in_pieces('MGET', nil, rest_keys)
for i = 1, item_count do remember_rest(item_site(i), got_rests[i]) end
if is_complete then                            -- free slots that are counted, but that the owner does not use
	local counted = call('HGETALL', key_slots_of(owner))
	for i = 1, #counted, 2 do
		local site, count = counted[i], tonumber(counted[i + 1])
		local has = connections_of[site] or 0
		if site ~= '#' and count > has then return_slots(owner, site, count - has) end
	end
	if #new_sites > 0 then wake() end
	write_turns()                              -- these sites have room again
end

for tenant in gmatch(capped, '%S+') do
	is_capped[tenant] = true
	capped_count = capped_count + 1
end

-- In this order: first connections to new sites by the shares of lanes, jobs for open connections, what is left.
local bulk_due, normal_due = shares(free)
if not has_ready.bulk or call('EXISTS', key_lane_projects('bulk')) == 0 then bulk_due = 0 end
if not has_ready.normal or call('EXISTS', key_lane_projects('normal')) == 0 then normal_due = 0 end
free_kept = bulk_due + normal_due
open_sites('otp', free - free_kept + otp_free)
free_kept = 0
open_sites('bulk', min(bulk_due, free))
for i = 1, item_count do serve_connections(i) end
open_sites('normal', free)
open_sites('bulk', free)
open_sites('otp', free + otp_free)
if free >= 0 and not has_free('otp') and has_waiting('otp') then waiting = 2
elseif free == 0 and (has_waiting('normal') or has_waiting('bulk')) then waiting = 1 end

local rows, leases, lease_ends, refs = {}, {}, {}, {}    -- refs: "ref site" of each job
local lease_end, before_dot = digits(now_ms + lease_ms), ' 0 ' .. owner
for i = 1, #LANES do
	local list = picked[LANES[i]]
	for n = 1, #list do
		local row, count = list[n], #rows
		rows[count + 1] = row
		leases[count * 2 + 1], leases[count * 2 + 2] = row[1], row[2] .. before_dot
		lease_ends[count * 2 + 1], lease_ends[count * 2 + 2] = lease_end, row[1]
		refs[count + 1] = row[1] .. ' ' .. row[3]
	end
end
call_in_pieces('HSET', key_lease(), leases)
call_in_pieces('ZADD', key_lease_end(), lease_ends)
call_in_pieces('RPUSH', key_damaged(), damaged)
call_in_pieces('ZADD', key_due(), due)
write_changes(retention_ms)
write_popped()
write_turns()
write_last_turns()

-- A take without jobs and slots need not be repeated.
local goes_on_later = looks_left <= 0 or deferrals_left <= 0 or vain_count > 0
if #rows > 0 or #granted > 0 or #due > 0 or goes_on_later then
	local last = request .. '\n' .. concat(granted, ' ') .. '\n' .. concat(refs, ' ')
	call('INCRBY', key_taken(), #rows)
	call('ZADD', key_owners(), digits(now_ms + silence_ms), owner)
	call('SET', key_last_take(owner), last, 'PX', LAST_TAKE_MS)
end
if goes_on_later then call('SPUBLISH', key_wake(), '') end
if job_count < max_jobs and call('EXISTS', key_hungry()) == 0 then call('SET', key_hungry(), '1') end

for i = 1, #rows do
	local ref, epoch, site, id = unpack(rows[i])
	-- Read it now: another job of the message may have changed it.
	local record = changed[id] and call('GET', key_message(id)) or texts[id]
	add_job(ref, epoch, site, record, contents[id])
end
return { now_ms, granted, jobs, expired, deferred, waiting }
