#!lua
-- accept: makes a batch of messages durable, each whole or not at all. No flags: Redis refuses it when it is out of memory.
-- KEYS 1 partition root
-- ARGV 1 acceptance deadline, ms of Redis time   2 how long an Idempotency-Key is kept, ms   3 retention ms
--      then for each message 10: id | "lane mode on_unknown project within_ms not_before_ms bytes chunks sender" | idempotency hash or ''
--      | fingerprint | job lines | recipient lines | facts | tags, a line each | 6 hex digits a recipient (recipient_mark.h) | content ('' if chunked)
-- returns per message: status, id, accepted ms, and of an accepted one the recipients that are suppressed, as JSON ("[0,2]"; '' = none).
--      Status 1 accepted, 2 replayed (id is the first one's), 3 conflict (same key, other fingerprint), 4 late, 5 malformed, 6 chunks missing. Run again: the same answer, but for a 5 or 6 whose key another of the batch took.
--      Recipients on the project's suppression list end here, as `suppressed`; the facts get "suppressed":[their numbers], for replays.
--@include base
--@include record
--@include ready
local late, ttl, retention = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local HEAD, WORDS, NOW = 3, 10, num(now)
local N = (#ARGV - HEAD) / WORDS
if N ~= floor(N) then return redis.error_reply('PNARG accept') end
local keys, idem = {}, {}
for i = 1, N do
	local b = HEAD + (i - 1) * WORDS
	keys[#keys + 1] = P .. 'm:' .. ARGV[b + 1]
	local project = match(ARGV[b + 2], '^%l+ %l+ %l+ (%d+) ')
	idem[i] = ARGV[b + 3] ~= '' and project and (P .. 'i:' .. project .. ':' .. ARGV[b + 3]) or false
	keys[#keys + 1] = idem[i] or P .. 'm:' .. ARGV[b + 1]
end
local got = many('MGET', nil, keys)
local function check(b)                        -- the message as a table, or nil when malformed
	local lane, mode, unknown, project, within, not_before, bytes, chunks, sender =
		match(ARGV[b + 2], '^(%l+) (%l+) (%l+) (%d+) (%d+) (%d+) (%d+) (%d+) (%S+)$')
	if not sender or #ARGV[b + 7] == 0 or string.find(ARGV[b + 7], '\n', 1, true) then return nil end
	local t = { id = ARGV[b + 1], lane = lane, project = project, tenant = mode .. ':' .. project, chunks = tonumber(chunks), b = b, dests = {}, emails = {} }
	local nb, J, R, total, left = tonumber(not_before), 0, 0, 0, {}
	for open, dest in string.gmatch(ARGV[b + 5], '(%d+) 0 0 0 (%S+)\n') do
		J, total = J + 1, total + #open + #dest + 8
		t.dests[J], left[J] = dest, tonumber(open)
		if left[J] == 0 or (mode == 'test') ~= (sub(dest, 1, 5) == 'sink/') then return nil end
	end
	for state, job, email in string.gmatch(ARGV[b + 6], '(%l+) (%d+) 0 0 0 0 (%S+)\n') do
		local j = tonumber(job) + 1
		R, total = R + 1, total + #state + #job + #email + 11
		t.emails[R] = email
		if not left[j] or (state ~= 'queued' and state ~= 'scheduled') then return nil end
		left[j] = left[j] - 1
	end
	for j = 1, J do if left[j] ~= 0 then return nil end end
	if J == 0 or J > 4096 or total ~= #ARGV[b + 5] + #ARGV[b + 6] then return nil end
	if #ARGV[b + 9] ~= R * 6 or match(ARGV[b + 9], '[^0-9a-f]') then return nil end
	if (lane ~= 'otp' and lane ~= 'normal' and lane ~= 'bulk') or (mode ~= 'live' and mode ~= 'test') then return nil end
	t.start = nb > now and nb or 0
	local deadline = (nb > now and nb or now) + tonumber(within)
	t.deadline = deadline
	t.record = '1 ' .. lane .. ' ' .. mode .. ' ' .. unknown .. ' ' .. project .. ' ' .. NOW .. ' ' .. num(deadline) .. ' ' .. R .. ' 1 ' .. J .. ' ' .. R ..
		' ' .. bytes .. ' ' .. chunks .. ' ' .. sender .. '\n' .. ARGV[b + 5] .. ARGV[b + 6] .. ARGV[b + 7] .. '\n' .. '1 queued - ' .. NOW .. ' 0 - \n'
	return t
end
local function chunks_missing(t)
	for k = 0, t.chunks - 1 do
		if call('EXISTS', P .. 'c:' .. t.id .. ':' .. k) == 0 then return true end
	end
	return false
end
local SUPPRESSED = ',"suppressed":(%[[%d,]+%])}\n1 queued %- '      -- in a record, where only suppress below writes it: the facts' end
local out, todo, seen = {}, {}, {}
for i = 1, N do                                -- look and check; nothing is written in this loop
	local b = HEAD + (i - 1) * WORDS
	local id, status, stands, at, stopped = ARGV[b + 1], 0, ARGV[b + 1], 0, ''
	local known = got[i * 2 - 1]
	local before = idem[i] and (seen[idem[i]] or got[i * 2])
	if known or seen[id] then
		status, at = 1, tonumber(known and match(known, '^1 %l+ %l+ %l+ %d+ (%d+) ') or now)
		stopped = known and match(known, SUPPRESSED) or ''
	elseif before then
		local print, first = match(before, '^(%S+) (%S+)$')
		stands = first
		status = print == ARGV[b + 4] and 2 or 3
	elseif late > 0 and now > late then status = 4
	else
		local t = check(b)
		if not t then status = 5
		elseif chunks_missing(t) then status = 6
		else
			status, at = 1, now
			t.outs = {}
			todo[#todo + 1] = t
			seen[id] = t
			if idem[i] then t.idem = idem[i]; seen[idem[i]] = ARGV[b + 4] .. ' ' .. id end
		end
	end
	if status == 1 and seen[id] then table.insert(seen[id].outs, i * 4) end
	out[i * 4 - 3], out[i * 4 - 2], out[i * 4 - 1], out[i * 4] = status, stands, at, stopped
end
local asked = {}                               -- "mode:project" -> its recipients, to look up in one call
for i = 1, #todo do
	local t = todo[i]
	local a = asked[t.tenant]
	if not a then a = {}; asked[t.tenant] = a end
	t.first = #a
	for r = 1, #t.emails do a[#a + 1] = string.lower(t.emails[r]) end
end
local stopped = {}
for tenant, emails in pairs(asked) do stopped[tenant] = many('HMGET', P .. 'sup:' .. tenant, emails) end
local function suppress(t)                     -- the message as a record, if some of its recipients end here
	local m, list
	for r = 1, #t.emails do
		if stopped[t.tenant][t.first + r] then
			if not m then m, list = parse(t.record), {} end
			list[#list + 1] = num(r - 1)
			set_state(t.id, m, r - 1, 'suppressed', 0, false, 'the address is on the suppression list')
		end
	end
	if m then
		local facts, numbers = #ARGV[t.b + 7], '[' .. concat(list, ',') .. ']'
		m.tail = sub(m.tail, 1, facts - 1) .. ',"suppressed":' .. numbers .. sub(m.tail, facts)
		for k = 1, #t.outs do out[t.outs[k]] = numbers end
	end
	return m
end
local hour = floor(now / 3600000)
local function file(t)                         -- puts the message into the lists it is found by
	local at = t.project .. ':' .. hour
	enlist(at, t.id, t.deadline, true)
	for tag in string.gmatch(ARGV[t.b + 8], '[^\n]+') do enlist(at .. ':t:' .. tag, t.id, t.deadline, true) end
	for r = 1, #t.emails do
		local mark = sub(ARGV[t.b + 9], r * 6 - 5, r * 6)
		enlist(at .. ':r:' .. sub(mark, 1, 2), t.id .. sub(mark, 3), t.deadline, true)
	end
end
local sets, wheel, due, entries = {}, {}, {}, {}
local cursor = tonumber(call('GET', P .. 'x_cursor') or '0')
for i = 1, #todo do
	local t = todo[i]
	sets[#sets + 1] = P .. 'm:' .. t.id
	sets[#sets + 1] = t.record
	if t.chunks == 0 then
		sets[#sets + 1] = P .. 'c:' .. t.id
		sets[#sets + 1] = ARGV[t.b + 10]
	end
	file(t)
	local m = suppress(t)
	for j = 1, #t.dests do
		local ref = ref_of(t.id, j - 1)
		if m and m.jobs[j - 1].open == 0 then      -- nobody left
		elseif t.start > 0 then due[#due + 1] = num(t.start); due[#due + 1] = ref else ready(t.lane, t.project, t.dests[j], ref) end
	end
	local minute = floor(t.deadline / 60000) + 1
	if minute < cursor then cursor = minute; call('SET', P .. 'x_cursor', minute) end    -- the clock went back
	local w = wheel[minute]
	if not w then w = {}; wheel[minute] = w end
	w[#w + 1] = t.id
	local l = entries[t.project]
	if not l then l = {}; entries[t.project] = l end
	l[#l + 1] = t.id .. ' 1\n'
end
chunked('MSET', nil, sets, 4000)               -- the growing write first
for i = 1, #todo do
	local t = todo[i]
	for k = 0, t.chunks - 1 do call('PERSIST', P .. 'c:' .. t.id .. ':' .. k) end
	if t.idem then call('SET', t.idem, seen[t.idem], 'PX', ttl) end
end
for minute, w in pairs(wheel) do chunked('RPUSH', P .. 'x:' .. minute, w, 4000) end
for project, l in pairs(entries) do call('XADD', P .. 'ev:' .. project, '*', 'e', concat(l)) end
chunked('ZADD', P .. 'due', due, 4000)
flush_facts(retention)
flush_ready('RPUSH')
return out
