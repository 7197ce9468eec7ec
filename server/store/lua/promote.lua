#!lua flags=allow-oom
-- promote: moves due jobs behind those that are ready.
-- KEYS 1 partition root   ARGV 1 at most so many
-- returns {moved, ms until the next is due or -1}
--@include base
--@include record
--@include ready
local refs = call('ZRANGEBYSCORE', P .. 'due', '-inf', num(now), 'LIMIT', 0, ARGV[1])
local ids, moved, bad = {}, 0, {}
for i = 1, #refs do ids[i] = split(refs[i]) end
local msgs = load(ids)
for i = 1, #refs do
	local _, jn = split(refs[i])
	local m = msgs[ids[i]]
	local job = m and m.jobs[jn]
	if not job then bad[#bad + 1] = refs[i]
	elseif job.open > 0 then ready(m.lane, m.project, job.dest, refs[i]); moved = moved + 1 end
end
chunked('ZREM', P .. 'due', refs, 4000)
chunked('RPUSH', P .. 'damaged', bad, 4000)
flush_ready('RPUSH')
local z = call('ZRANGE', P .. 'due', 0, 0, 'WITHSCORES')
local wait = -1
if z[2] then wait = math.ceil(tonumber(z[2]) - now); if wait < 0 then wait = 0 end end
return { moved, wait }
