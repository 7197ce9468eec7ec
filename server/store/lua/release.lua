#!lua flags=allow-oom
-- release: takes back leases that ran out, or all leases and slots of a dead owner.
-- Before the dot: first in line again; after 2 such crashes deferred, later and later, after the limit held. At the dot: outcome unknown.
-- KEYS 1 partition root
-- ARGV 1 at most so many leases   2 retention ms   3 delay ms after a crash or an unknown outcome   4 crashes until it is held   5 dead owner or ''
--      6 a random number 0-999 (the spread of delays)
-- returns {leases taken back, unknown outcomes deferred, unknown outcomes failed, held, owners that fell silent, more to do 0/1}
--@include base
--@include record
--@include ready
local limit, retention, delay, poison, dead, spread = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5], tonumber(ARGV[6])
local refs, leases, silent, more = {}, {}, 0, 0
local function bury(owner)                     -- its slots are free; its leases are for whoever calls
	local held = call('HGETALL', P .. 'slots:' .. owner)
	for i = 1, #held, 2 do if held[i] ~= '#' then give_slots(owner, held[i], tonumber(held[i + 1])) end end
	call('DEL', P .. 'slots:' .. owner, P .. 'last:' .. owner)
	call('ZREM', P .. 'owners', owner)
end
if dead ~= '' then
	local all = call('HGETALL', P .. 'lease')
	for i = 1, #all, 2 do
		local l = lease_of(all[i + 1])
		if l and l.owner == dead then
			if #refs < limit then refs[#refs + 1] = all[i]; leases[#refs] = l else more = 1 end
		end
	end
	if more == 0 then bury(dead) end
else
	refs = call('ZRANGEBYSCORE', P .. 'lease_end', '-inf', num(now), 'LIMIT', 0, num(limit))
	if #refs == limit then more = 1 end
	local got = many('HMGET', P .. 'lease', refs)
	for i = 1, #refs do leases[i] = lease_of(got[i]) or false end
	local gone = call('ZRANGEBYSCORE', P .. 'owners', '-inf', num(now), 'LIMIT', 0, 100)
	for i = 1, #gone do bury(gone[i]); silent = silent + 1 end
end
local ids, bad, due = {}, {}, {}
for i = 1, #refs do ids[i] = split(refs[i]) end
local msgs = load(ids)
local deferred, failed, held = 0, 0, 0
local function later(m, ref, ms)
	local t = now + ms
	if t > m.deadline then t = m.deadline > now and m.deadline or now end
	due[#due + 1] = num(t)
	due[#due + 1] = ref
end
for i = 1, #refs do
	local id, jn = split(refs[i])
	local m, l, ref = msgs[id], leases[i], refs[i]
	local job = m and m.jobs[jn]
	if not job or not l then                   -- ended at its dot, and swept since: no alarm
		if not (l and l.dot and not texts[id]) then bad[#bad + 1] = ref end
	else
		job.epoch = l.epoch
		changed[id] = m
		if job.open == 0 then                  -- ended while it was held
		elseif l.dot then
			local fail = m.unknown == 'fail'
			local n = job.open
			each_open(m, jn, function(r)
				m.rcpts[r].attempts = m.rcpts[r].attempts + 1
				set_state(id, m, r, fail and 'failed' or 'deferred', 0, true, 'the outcome is unknown: no reply to the final dot was seen')
			end)
			note_attempt(id, m, jn, l.epoch, n, '-')
			if fail then failed = failed + 1 else deferred = deferred + 1; later(m, ref, delay) end
		else
			job.crashes = job.crashes + 1
			if job.crashes >= poison then
				held = held + 1
				each_open(m, jn, function(r) set_state(id, m, r, 'held', 0, false, 'the relay died ' .. job.crashes .. ' times with this message') end)
			elseif job.crashes > 2 then
				each_open(m, jn, function(r) set_state(id, m, r, 'deferred', 0, false, 'the relay died ' .. job.crashes .. ' times with this message') end)
				later(m, ref, delay * job.crashes * (1000 + (spread * (i + 7)) % 1000) / 1000)
			else ready(m.lane, m.project, job.dest, ref) end
		end
	end
end
chunked('HDEL', P .. 'lease', refs, 4000)
chunked('ZREM', P .. 'lease_end', refs, 4000)
chunked('ZADD', P .. 'due', due, 4000)
chunked('RPUSH', P .. 'damaged', bad, 4000)
flush_ready('LPUSH')
flush_facts(retention)
return { #refs, deferred, failed, held, silent, more }
