#!lua flags=allow-oom
-- giveback: returns leased jobs that were not tried; costs no attempt. Learns the site of their destination.
-- KEYS 1 partition root
-- ARGV 1 owner   2 how long a learned site holds, s   then per job 4: ref | epoch | site ('' = nothing learned) | delay ms (0 = first in line)
-- returns per job: 1 given back, 0 not yours (any more)
--@include base
--@include record
--@include ready
local owner, ids, refs, out = ARGV[1], {}, {}, {}
for i = 3, #ARGV, 4 do
	refs[#refs + 1] = ARGV[i]
	ids[#ids + 1] = split(ARGV[i])
end
local msgs, got = load(ids), many('HMGET', P .. 'lease', refs)
local dests, learned, drop, due, seen = {}, {}, {}, {}, {}
for i = 1, #refs do
	local _, jn = split(refs[i])
	local b = 3 + (i - 1) * 4
	local m, l = msgs[ids[i]], lease_of(got[i])
	local job = m and m.jobs[jn]
	if job and l and l.owner == owner and l.epoch == tonumber(ARGV[b + 1]) and not seen[refs[i]] then
		out[i] = 1
		seen[refs[i]] = true
		drop[#drop + 1] = refs[i]
		if job.epoch < l.epoch then job.epoch = l.epoch; changed[ids[i]] = m end
		if ARGV[b + 2] ~= '' and sub(job.dest, 1, 5) ~= 'sink/' and not learned[job.dest] then
			learned[job.dest] = ARGV[b + 2]
			dests[#dests + 1] = job.dest
		end
		if job.open == 0 then                  -- ended while it was held: nothing to put back
		elseif tonumber(ARGV[b + 3]) > 0 then due[#due + 1] = num(now + tonumber(ARGV[b + 3])); due[#due + 1] = refs[i]
		else ready(m.lane, m.project, job.dest, refs[i]) end
	else out[i] = 0 end
end
local before = site_names(dests)
for i = 1, #dests do
	local d = dests[i]
	local site, old = learned[d], before[d]
	if site == d then call('DEL', P .. 'site:' .. d) else call('SET', P .. 'site:' .. d, site, 'EX', ARGV[2]) end
	for l = 1, 3 do                            -- its turn goes to the new site
		if old ~= site and call('LREM', P .. 's:' .. LANES[l] .. ':' .. old, 1, d) == 1 then
			if call('EXISTS', P .. 's:' .. LANES[l] .. ':' .. old) == 0 then call('ZREM', P .. 'act:' .. LANES[l], old) end
			if call('RPUSH', P .. 's:' .. LANES[l] .. ':' .. site, d) == 1 then activate(LANES[l], site) end
		end
	end
end
chunked('HDEL', P .. 'lease', drop, 4000)
chunked('ZREM', P .. 'lease_end', drop, 4000)
chunked('ZADD', P .. 'due', due, 4000)
flush_ready('LPUSH')
flush_facts(0)
return out
