#!lua flags=allow-oom
-- settle: writes the results of finished attempts: states, events, retries; drops the content at the end.
-- KEYS 1 partition root
-- ARGV 1 owner   2 retention ms   then per job 4: ref | epoch | retry delay ms | lines "<recipient> <outcome> <code> <dup, sup or -> <text>\n",
--      before them perhaps "a <attempt.h>\n"
--      outcome: delivered, bounced, deferred, failed; sup: bounced, and the address goes on the suppression list
-- returns per job: 1 applied, 2 applied before, 3 the lease was lost but what was delivered is taken, 0 lost, 4 no such job.
-- Run again: 2 where it was 1 or 3 (0 where a later attempt was settled since); nothing changes.
-- A late "delivered" wins over a copy that waits or is held before its dot: it is the truth. Other late results are dropped.
--@include base
--@include record
--@include listed
local owner, retention = ARGV[1], tonumber(ARGV[2])
local N = (#ARGV - 2) / 4
if N ~= floor(N) then return redis.error_reply('PNARG settle') end
local OUTCOMES = { delivered = true, bounced = true, deferred = true, failed = true }
local refs, ids, results, attempts = {}, {}, {}, {}
for i = 1, N do                                -- check everything before the first write
	refs[i] = ARGV[i * 4 - 1]
	ids[i] = split(refs[i])
	local list, lines, total = {}, ARGV[i * 4 + 2], 0
	local line, rest = match(lines, '^a ([ -~]+)\n()')
	if line and #line < 600 then attempts[i] = line; lines = sub(lines, rest) end
	for r, outcome, code, dup, text in string.gmatch(lines, '(%d+) (%l+) (%d+) (%S+) ([^\n]*)\n') do
		if not OUTCOMES[outcome] then return redis.error_reply('PNARG settle outcome') end
		list[#list + 1] = { tonumber(r), outcome, code, dup == 'dup', text, dup == 'sup' and outcome == 'bounced' }
		total = total + #r + #outcome + #code + #dup + #text + 5
	end
	if total ~= #lines or not tonumber(ARGV[i * 4]) or not tonumber(ARGV[i * 4 + 1]) then return redis.error_reply('PNARG settle results') end
	results[i] = list
end
local msgs, got = load(ids), many('HMGET', P .. 'lease', refs)
local out, drop, due, undue, leases, due_at = {}, {}, {}, {}, {}, {}
for i = 1, N do leases[refs[i]] = lease_of(got[i]) end
local function suppress(m, id, email)
	local tenant, address = m.mode .. ':' .. m.project, string.lower(email)
	if call('HEXISTS', P .. 'sup:' .. tenant, address) == 1 then return end
	local at = num(math.max(now, gone_at(tenant, address) + 1))
	put(tenant, address, cjson.encode({ reason = 'bounce', at = at, message = id }))
	call('ZADD', P .. 'sup_new', at, tenant .. ' ' .. address)
end
local function apply(id, m, jn, list, only_delivered)    -- CAS: terminal states are never left
	local took = 0
	for x = 1, #list do
		local v = list[x]
		local o = m.rcpts[v[1]]
		if o and o.job == jn and is_open(o) and (not only_delivered or v[2] == 'delivered') then
			o.attempts = o.attempts + 1
			set_state(id, m, v[1], v[2], v[3], v[4], v[5])
			if v[6] then suppress(m, id, o.email) end
			took = took + 1
		end
	end
	return took
end
local function end_lease(ref, job, l)
	drop[#drop + 1] = ref
	leases[ref] = nil
	job.epoch = l.epoch
end
for i = 1, N do
	local ref, epoch = refs[i], tonumber(ARGV[i * 4])
	local id, jn = split(ref)
	local m, l = msgs[id], leases[ref]
	local job = m and m.jobs[jn]
	if not job then out[i] = 4
	elseif l and l.owner == owner and l.epoch == epoch then
		out[i] = 1
		end_lease(ref, job, l)
		local took = apply(id, m, jn, results[i], false)
		if attempts[i] then note_attempt(id, m, jn, epoch, took, attempts[i]) end
		job.settled, job.crashes = epoch, 0
		changed[id] = m
		due_at[ref] = math.max(math.min(now + tonumber(ARGV[i * 4 + 1]), m.deadline), now)
	elseif job.settled == epoch then out[i] = 2
	elseif epoch > job.epoch then out[i] = 0       -- never granted, or another's
	else
		local took = apply(id, m, jn, results[i], true)
		out[i] = took > 0 and 3 or 0
		if out[i] == 3 then
			if attempts[i] then note_attempt(id, m, jn, epoch, took, attempts[i]) end
			if job.settled < epoch then job.settled = epoch end
			if l and not l.dot then end_lease(ref, job, l); due_at[ref] = now end    -- another holds it before its dot: fence it off
			if job.open == 0 then undue[#undue + 1] = ref end
		end
	end
	if job and job.open == 0 then due_at[ref] = nil end
end
for ref, t in pairs(due_at) do due[#due + 1] = num(t); due[#due + 1] = ref end
chunked('HDEL', P .. 'lease', drop, 4000)
chunked('ZREM', P .. 'lease_end', drop, 4000)
chunked('ZREM', P .. 'due', undue, 4000)
chunked('ZADD', P .. 'due', due, 4000)
flush_facts(retention)
return out
