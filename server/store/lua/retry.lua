#!lua
-- retry: has deferred jobs of a message tried now instead of later, and lets go of held ones. Their sites rest no longer.
-- KEYS 1 partition root   ARGV 1 retention ms   2 id
-- returns {jobs that wait for their turn now, jobs with a relay, open jobs that are neither}; {-1, 0, 0}: no such message.
-- Run again: nothing changes, as what has its turn is neither deferred nor held any more.
--@include base
--@include record
--@include ready
local id = ARGV[2]
local m = load({ id })[id]
if not m then return { -1, 0, 0 } end
local again, leased, other, dests = 0, 0, 0, {}
for j = 0, m.J - 1 do
	local ref, held = ref_of(id, j), {}
	each_open(m, j, function(r) if m.rcpts[r].state == 'held' then held[#held + 1] = r end end)
	if m.jobs[j].open == 0 then                -- nothing to do
	elseif call('HEXISTS', P .. 'lease', ref) == 1 then leased = leased + 1
	elseif #held > 0 then
		for i = 1, #held do set_state(id, m, held[i], 'queued', 0, false, 'let go of by request') end
		m.jobs[j].crashes = 0
		ready(m.lane, m.project, m.jobs[j].dest, ref)
		dests[#dests + 1] = m.jobs[j].dest
		again = again + 1
	else
		local deferred = false
		each_open(m, j, function(r) if m.rcpts[r].state == 'deferred' then deferred = true end end)
		if deferred and call('ZREM', P .. 'due', ref) == 1 then
			ready(m.lane, m.project, m.jobs[j].dest, ref)
			dests[#dests + 1] = m.jobs[j].dest
			again = again + 1
		else other = other + 1 end
	end
end
for _, site in pairs(site_names(dests)) do call('DEL', P .. 'rest:' .. site) end
flush_ready('RPUSH')
flush_facts(tonumber(ARGV[1]))
return { again, leased, other }
