-- base.lua: what every transition of a partition starts with.
-- KEYS[1] is the partition's root, "pn:{p0}:"; every key a script touches is root .. one of these, so
-- all of them share its hash tag and lie in one Redis Cluster slot (they are derived here, not passed
-- one by one: their names depend on what the script reads).
--   m:<id>        string   the record of a message (record.lua)
--   c:<id>        string   its content: codec byte and bytes; c:<id>:<k> chunks of a larger one
--   t:<id>        list, PX   what was said in its failed attempts: "job epoch ", codec byte and bytes
--   i:<project>:<hash>  string, PX   Idempotency-Key: fingerprint and id
--   q:<lane>:<project>:<dest>  list   ready jobs (refs: id and 3 hex digits of the job's number)
--   r:<lane>:<dest>  list   turns: projects with ready jobs for dest
--   s:<lane>:<site>  list   turns: destinations of the site with ready jobs
--   act:<lane>    zset     sites with ready jobs and room, by the turn they were last served
--   full          set      sites without room for another connection
--   site:<dest>   string, EX   the site of a destination, where it is not the destination itself
--   rest:<site>   string, PX   could not be reached: until when it is left alone, failures in a row, code, why
--   slots         hash     site -> open connections, over all owners (no entry = 0)
--   slots:<owner> hash     site -> connections of that owner; "#" -> its last slot request
--   owners        zset     owner -> when it is taken for dead unless it is heard of
--   last:<owner>  string, PX   its last take, so that a lost answer can be asked for again
--   lease, lease_end   hash ref -> "epoch dot owner", zset ref -> when it runs out
--   due           zset     scheduled and deferred jobs, by time
--   x:<minute>, x_cursor   lists of ids by deadline, and the minute that expire has come to
--   ret:<hour>, ret_cursor lists of ids by end of retention, and the hour that sweep has come to
--   ev:<project>  stream   the project's log: one entry a transition, "id n" a line; facts are in m:
--   cut           hash     project -> the last entry that its log lost to its retention
--   l:<project>:<hour>  list, EX   ids accepted in that hour, oldest first; and the same for those that have
--     l:<project>:<hour>:t:<tag>   a tag, l:<project>:<hour>:s:<state>   a recipient that came to a state (not
--     queued or delivered: those are most) or `mixed`, l:<project>:<hour>:r:<2 hex>   id and 4 hex digits of the
--     SHA-1 of a recipient (lower case): 2 name the list
--   sup:<mode>:<project>  hash   suppressed address (lower case) -> JSON {reason, at, message};
--     sup_at:<mode>:<project>  zset, the same by the time they came to it
--   sup_new       zset     "<mode>:<project> <address>" that a bounce put there, until the other partitions have it too (lua/spread.lua)
--   sup_gone:<mode>:<project>:<address>  string, PX   when it was taken off: older copies come to nothing
--   damaged       list     refs whose record is unreadable, or missing where one must be: an alarm if not empty
--   turn, taken   counters for turns of sites and shares of lanes
--   ready         how many places there are in all lists q:, for who watches
--   hungry        string   some relay would take more: the next ready job publishes on `wake`
local P = KEYS[1]
local call, sub, fmt, floor, match, concat = redis.call, string.sub, string.format, math.floor, string.match, table.concat
local tm = call('TIME')
local now = tm[1] * 1000 + floor(tm[2] / 1000)
local LANES = { 'otp', 'normal', 'bulk' }
local function num(n) return fmt('%d', n) end
local function chunked(cmd, key, a, step)      -- a variadic call in pieces below the limit of unpack
	for i = 1, #a, step do
		local e = i + step - 1
		if e > #a then e = #a end
		if key then call(cmd, key, unpack(a, i, e)) else call(cmd, unpack(a, i, e)) end
	end
end
local function many(cmd, key, names)           -- MGET or HMGET in pieces
	local out = {}
	for i = 1, #names, 4000 do
		local e = i + 3999
		if e > #names then e = #names end
		local got
		if key then got = call(cmd, key, unpack(names, i, e)) else got = call(cmd, unpack(names, i, e)) end
		for j = 1, #got do out[i + j - 1] = got[j] end
	end
	return out
end
