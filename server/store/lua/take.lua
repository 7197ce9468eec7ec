#!lua flags=allow-oom
-- take: leases jobs to an owner: for the connections it has, and with the right to open more.
-- Within a site, and among new sites, lanes go in order otp, normal, bulk; normal and bulk have an exact share over time.
-- A site that rests (rest.lua) gets no further connection, and when its rest is over only one, until an owner asks for jobs for one
-- that it has. While it rests and nobody has a connection to it, what waits there is deferred to the end of the rest, at no attempt.
-- KEYS 1 partition root
-- ARGV 1 owner   2 request id (run again with the same one: the same jobs and slots)   3 at most so many jobs   4 ... bytes of content
--      5 lease ms   6 ms until an unheard owner is taken for dead   7 limit of connections to one site   8 connections the owner may open
--      9, 10 shares of bulk and normal, per mille   11 retention ms   12 1 = it has no connections but these: what more is counted as its own is no more (a grant whose answer was lost)
--      then for each site it has connections to: site, jobs wanted, connections wanted, connections it has
-- Recipients that came to the project's suppression list meanwhile end here, as `suppressed`.
-- returns {now, {site, new connections}*, {ref, epoch, site, record, content or '' (chunked or gone)}*, jobs that expired, recipients deferred}
--@include base
--@include record
--@include ready
local owner, rid, n, max_bytes, lease = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local limit, free, share = tonumber(ARGV[7]), tonumber(ARGV[8]), { bulk = tonumber(ARGV[9]), normal = tonumber(ARGV[10]) }
local mine, last_key = P .. 'slots:' .. owner, P .. 'last:' .. owner
local picks, granted, bytes, damaged, expired, turn = { otp = {}, normal = {}, bulk = {} }, {}, 0, {}, 0, nil
local deferred, due, puts = 0, {}, 100         -- puts: so many jobs are deferred in one call
local LOOKS = 2000
local count, looks = 0, LOOKS                   -- looks: places of jobs that are over cost time too; past this, wake and go on later
local function goes_on() return count < n and bytes < max_bytes and looks > 0 end

local function answer(jobs, slots)             -- jobs: {ref, epoch, site, record text}
	local keys, out = {}, {}
	for i = 1, #jobs do keys[i] = P .. 'c:' .. sub(jobs[i][1], 1, -4) end
	local contents = many('MGET', nil, keys)
	for i = 1, #jobs do
		local j = jobs[i]
		for k = 1, 4 do out[#out + 1] = j[k] end
		out[#out + 1] = contents[i] or ''
	end
	return { now, slots, out, expired, deferred }
end
local function again(last)                     -- the answer of the last take, from what is still leased
	local slot_list, ref_list = match(last, '^%S+\n([^\n]*)\n([^\n]*)$')
	local slots, refs, sites, jobs = {}, {}, {}, {}
	for site, c in string.gmatch(slot_list, '(%S+) (%d+)') do slots[#slots + 1] = site; slots[#slots + 1] = tonumber(c) end
	for ref, site in string.gmatch(ref_list, '(%S+) (%S+)') do refs[#refs + 1] = ref; sites[#sites + 1] = site end
	local keys = {}
	for i = 1, #refs do keys[i] = P .. 'm:' .. sub(refs[i], 1, -4) end
	local leases, texts = many('HMGET', P .. 'lease', refs), many('MGET', nil, keys)
	for i = 1, #refs do
		local l = lease_of(leases[i])
		if l and l.owner == owner and texts[i] then jobs[#jobs + 1] = { refs[i], l.epoch, sites[i], texts[i] } end
	end
	return answer(jobs, slots)
end
local last = call('GET', last_key)
if last and sub(last, 1, #rid + 1) == rid .. '\n' then return again(last) end

local function pop_dest(lane, dest, k, out)    -- up to k refs of a destination, its projects in turn
	local rk = P .. 'r:' .. lane .. ':' .. dest
	while k > 0 do
		local projects = call('LRANGE', rk, '0', '1')      -- numbers would be printed and read as doubles
		if #projects == 0 then return end
		local q = P .. 'q:' .. lane .. ':' .. projects[1] .. ':' .. dest
		local asked = #projects == 1 and k or 1
		local refs = call('LPOP', q, asked == 1 and '1' or asked) or {}
		for i = 1, #refs do out[#out + 1] = refs[i] end
		k = k - #refs
		if #refs < asked or call('EXISTS', q) == 0 then call('LPOP', rk)
		elseif #projects > 1 then call('LMOVE', rk, rk, 'LEFT', 'RIGHT') end
	end
end
local function pop_site(lane, site, k)         -- up to k refs of a site, its destinations in turn
	local sk, out = P .. 's:' .. lane .. ':' .. site, {}
	while #out < k do
		local dests = call('LRANGE', sk, '0', '1')
		if #dests == 0 then break end
		pop_dest(lane, dests[1], #dests == 1 and k - #out or 1, out)
		if call('EXISTS', P .. 'r:' .. lane .. ':' .. dests[1]) == 0 then call('LPOP', sk)
		elseif #dests > 1 then call('LMOVE', sk, sk, 'LEFT', 'RIGHT') end
	end
	return out
end
local listed = {}                              -- "mode:project" -> has it a suppression list?
local function suppress(refs)                  -- ends what was suppressed since it was accepted, or deferred
	local asked = {}                           -- "mode:project" -> the addresses to look up, and whose they are
	for i = 1, #refs do
		local id, jn = split(refs[i])
		local m = records[id]
		if m and m.jobs[jn] and m.deadline > now then
			local tenant = m.mode .. ':' .. m.project
			if listed[tenant] == nil then listed[tenant] = call('EXISTS', P .. 'sup:' .. tenant) == 1 end
			if listed[tenant] then
				local a = asked[tenant]
				if not a then a = { of = {} }; asked[tenant] = a end
				each_open(m, jn, function(r) a[#a + 1] = string.lower(m.rcpts[r].email); a.of[#a] = { id, m, r } end)
			end
		end
	end
	for tenant, a in pairs(asked) do
		local stopped = many('HMGET', P .. 'sup:' .. tenant, a)
		for i = 1, #a do
			local o = a.of[i]
			if stopped[i] then set_state(o[1], o[2], o[3], 'suppressed', 0, false, 'the address is on the suppression list') end
		end
	end
end
local function look_at(ref)                    -- the message of a job that is worth an attempt, or nil
	local id, jn = split(ref)
	local m = load({ id })[id]
	local job = m and m.jobs[jn]
	if not job then                            -- swept: its message ended long ago
		if texts[id] then damaged[#damaged + 1] = ref end
		return nil
	end
	if job.open == 0 then return nil end       -- canceled, expired, suppressed or settled late: its place ends here
	if m.deadline <= now then
		each_open(m, jn, function(r) set_state(id, m, r, 'expired', 0, false, 'deadline passed') end)
		expired = expired + 1
		return nil
	end
	return m, id, jn
end
local function lease_one(lane, site, ref)      -- 1 when it is leased
	local m, id, jn = look_at(ref)
	if not m then return 0 end
	local p = picks[lane]
	p[#p + 1] = { ref, m.jobs[jn].epoch + 1, site, id }
	if m.chunks == 0 then bytes = bytes + m.bytes end
	count = count + 1
	return 1
end
local function pop_loaded(lane, site, k)
	local refs, ids = pop_site(lane, site, k), {}
	looks = looks - #refs
	for i = 1, #refs do ids[i] = split(refs[i]) end
	load(ids)
	suppress(refs)
	return refs
end
local function serve(lane, site, k)            -- leases up to k jobs of a site's lane
	local got, popped, act = 0, 0, P .. 'act:' .. lane
	while got < k and goes_on() do
		local want = math.min(k - got, n - count, looks, 16)
		local refs = pop_loaded(lane, site, want)
		popped = popped + #refs
		if #refs == 0 then break end
		for i = 1, #refs do got = got + lease_one(lane, site, refs[i]) end
		if #refs < want then break end
	end
	if popped == 0 then return 0 end
	if call('EXISTS', P .. 's:' .. lane .. ':' .. site) == 0 then call('ZREM', act, site)
	elseif got > 0 then
		turn = (turn or tonumber(call('GET', P .. 'turn') or '0')) + 1
		call('ZADD', act, 'XX', num(turn), site)
	end
	return got
end
local taken = tonumber(call('GET', P .. 'taken') or '0')
local function parts(k)                        -- how many of the next k are bulk's and normal's by right: exact in every 1000,
	local b, m = 0, 0                          -- spread so that no step of `taken` always meets the same lane
	for t = taken + count, taken + count + k - 1 do
		local at = t * 617 % 1000
		if at < share.bulk then b = b + 1 elseif at < share.bulk + share.normal then m = m + 1 end
	end
	return b, m
end
local function serve_site(site, k)
	if k <= 0 then return 0 end
	local b, m = parts(k)
	local got = (b > 0 and serve('bulk', site, b) or 0) + (m > 0 and serve('normal', site, m) or 0)
	for l = 1, 3 do
		if got < k then got = got + serve(LANES[l], site, k - got) end
	end
	return got
end
local function used(site) return tonumber(call('HGET', P .. 'slots', site) or '0') end
local function park(site)
	call('SADD', P .. 'full', site)
	for l = 1, 3 do call('ZREM', P .. 'act:' .. LANES[l], site) end
end
local rests = {}                               -- site -> its rest, or false
local function read_rest(site, s)
	if not s then rests[site] = false; return end
	local till, code, text = match(s, '^(%d+) %d+ (%d+) (.*)$')
	rests[site] = { till = tonumber(till), code = code, text = text }
end
local function rest_of(site)
	if rests[site] == nil then read_rest(site, call('GET', P .. 'rest:' .. site)) end
	return rests[site]
end
local function postpone(site, rest)            -- each says so once; when it comes again, only its time changes
	for l = 1, 3 do
		local lane, want, refs = LANES[l], 0, nil
		repeat
			want = math.min(puts, looks, 16)
			refs = want > 0 and pop_loaded(lane, site, want) or {}
			puts = puts - #refs
			for i = 1, #refs do
				local m, id, jn = look_at(refs[i])
				if m then
					each_open(m, jn, function(r)
						if m.rcpts[r].state == 'deferred' then return end
						set_state(id, m, r, 'deferred', rest.code, false, rest.text)
						deferred = deferred + 1
					end)
					due[#due + 1] = num(math.min(rest.till, m.deadline))
					due[#due + 1] = refs[i]
				end
			end
		until #refs < want or want == 0
		if call('EXISTS', P .. 's:' .. lane .. ':' .. site) == 0 then call('ZREM', P .. 'act:' .. lane, site) end
	end
end
local function grant(site, c)
	call('HINCRBY', mine, site, c)
	if call('HINCRBY', P .. 'slots', site, c) >= limit then park(site) end
	granted[#granted + 1] = site
	granted[#granted + 1] = c
	free = free - c
end
local known, told, names, keys = {}, {}, {}, {}
for i = 13, #ARGV, 4 do
	local site = ARGV[i]
	known[site] = true                         -- it may have been taken for dead, and have connections all the same
	told[site] = tonumber(ARGV[i + 3])
	names[#names + 1], keys[#keys + 1] = site, P .. 'rest:' .. site
end
local got = many('MGET', nil, keys)
for i = 1, #names do read_rest(names[i], got[i]) end
if ARGV[12] == '1' then
	local held = call('HGETALL', mine)
	for i = 1, #held, 2 do
		local site, c = held[i], tonumber(held[i + 1])
		local has = told[site] or 0
		if site ~= '#' and c > has then give_slots(owner, site, c - has) end
	end
	flush_active()                             -- sites that have room again
	if #active > 0 then wake() end
end
local held = call('HKEYS', mine)
for i = 1, #held do known[held[i]] = true end
local function open_new(lane, k)               -- up to k first connections to sites that wait in this lane
	local at, act = 0, P .. 'act:' .. lane
	while k > 0 and free > 0 and goes_on() do
		local page = call('ZRANGE', act, at, at + 31)
		if #page == 0 then return end
		for i = 1, #page do
			local site = page[i]
			if known[site] then at = at + 1    -- it stays where it is, or goes behind
			elseif used(site) >= limit then park(site)
			elseif rest_of(site) and used(site) > 0 then at = at + 1    -- one is on its way to it, or it takes no more
			elseif rest_of(site) and rest_of(site).till > now then
				postpone(site, rest_of(site))
				if call('EXISTS', P .. 's:' .. lane .. ':' .. site) == 1 then at = at + 1 end
			elseif k > 0 and free > 0 and goes_on() then
				if serve(lane, site, 1) > 0 then known[site] = true; grant(site, 1); k = k - 1 end    -- gone, or behind all others
			end
		end
		if #page < 32 then return end
	end
end
local function waits(lane) return call('EXISTS', P .. 'act:' .. lane) == 1 end
local b, m = parts(free)
if not waits('bulk') then b = 0 end
if not waits('normal') then m = 0 end
open_new('otp', free - b - m)
open_new('bulk', b)
local function is_at_rest(site)                -- the owner has a connection that works: the rest is the last one when it is over
	local rest = rest_of(site)
	if not rest then return false end
	if rest.till > now then return true end
	call('DEL', P .. 'rest:' .. site)
	rests[site] = false
	return false
end
for i = 13, #ARGV, 4 do
	local site, want, grow = ARGV[i], tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2])
	local got = serve_site(site, want)
	local rests_now = want + grow > 0 and is_at_rest(site)
	if got == want and grow > 0 and free > 0 and not rests_now then
		local c = math.min(grow, free, limit - used(site))
		if c > 0 then
			local more = serve_site(site, c)
			if more > 0 then grant(site, more) end
		end
	end
end
open_new('normal', free)
open_new('bulk', free)
open_new('otp', free)

local jobs, leases, ends, refs = {}, {}, {}, {}
local till = num(now + lease)
for l = 1, 3 do
	local p = picks[LANES[l]]
	for i = 1, #p do
		local j = p[i]
		jobs[#jobs + 1] = j
		leases[#leases + 1] = j[1]
		leases[#leases + 1] = j[2] .. ' 0 ' .. owner
		ends[#ends + 1] = till
		ends[#ends + 1] = j[1]
		refs[#refs + 1] = j[1] .. ' ' .. j[3]
	end
end
chunked('HSET', P .. 'lease', leases, 4000)
chunked('ZADD', P .. 'lease_end', ends, 4000)
chunked('RPUSH', P .. 'damaged', damaged, 4000)
chunked('ZADD', P .. 'due', due, 4000)
flush_facts(tonumber(ARGV[11]))
if turn then call('SET', P .. 'turn', num(turn)) end
if looks < LOOKS then call('INCRBY', P .. 'ready', looks - LOOKS) end
local goes_later = looks <= 0 or puts <= 0
if #jobs > 0 or #granted > 0 or #due > 0 or goes_later then
	call('INCRBY', P .. 'taken', #jobs)
	call('ZADD', P .. 'owners', num(now + tonumber(ARGV[6])), owner)
	call('SET', last_key, rid .. '\n' .. concat(granted, ' ') .. '\n' .. concat(refs, ' '), 'PX', '86400000')
end
if goes_later then call('PUBLISH', P .. 'wake', '') end
if count < n and call('EXISTS', P .. 'hungry') == 0 then call('SET', P .. 'hungry', '1') end

for i = 1, #jobs do                            -- another job of the same message may have expired just now
	local id = jobs[i][4]
	jobs[i][4] = changed[id] and call('GET', P .. 'm:' .. id) or texts[id]
end
return answer(jobs, granted)
