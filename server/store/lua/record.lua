-- record.lua: the record of a message, m:<id>, as lines of text:
--   1 <lane> <mode> <on_unknown> <project> <accepted ms> <deadline ms> <open recipients> <n> <jobs> <recipients> <bytes> <chunks> <sender>
--   a line a job:        <open recipients> <crashes> <epoch> <settled epoch> <destination>
--   a line a recipient:  <state> <job> <attempts> <code> <at ms> <n> <email>
--   the facts            one line of JSON, never changed
--   a line an event      <n> <type> <recipient or -> <at ms> <code> <dup or -> <text>
--   a line an attempt    a <job> <epoch> <events> <attempt.h, or - where the relay died>: so many events before it are what it led to.
--                        The last 20 are kept.
-- n counts the message's events. A job is over when its open recipients are 0.
local function parse(s)                        -- nil when absent or damaged; never raises
	if not s then return nil end
	local lane, mode, unknown, project, accepted, deadline, open, n, J, R, bytes, chunks, sender, p =
		match(s, '^1 (%l+) (%l+) (%l+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%S+)\n()')
	if not p then return nil end
	local m = { lane = lane, mode = mode, unknown = unknown, project = project, accepted = accepted, deadline = tonumber(deadline),
		open = tonumber(open), n = tonumber(n), bytes = tonumber(bytes), chunks = tonumber(chunks), sender = sender, jobs = {}, rcpts = {}, new = {} }
	for j = 0, tonumber(J) - 1 do
		local o, crashes, epoch, settled, dest, e = match(s, '^(%d+) (%d+) (%d+) (%d+) (%S+)\n()', p)
		if not e then return nil end
		m.jobs[j] = { open = tonumber(o), crashes = tonumber(crashes), epoch = tonumber(epoch), settled = tonumber(settled), dest = dest }
		p = e
	end
	for r = 0, tonumber(R) - 1 do
		local state, job, attempts, code, at, rn, email, e = match(s, '^(%l+) (%d+) (%d+) (%d+) (%d+) (%d+) (%S+)\n()', p)
		if not e or not m.jobs[tonumber(job)] then return nil end
		m.rcpts[r] = { state = state, job = tonumber(job), attempts = tonumber(attempts), code = code, at = at, n = rn, email = email }
		p = e
	end
	m.J, m.R, m.tail = tonumber(J), tonumber(R), sub(s, p)
	return m
end
local function format(m)
	local a = { '1 ' .. m.lane .. ' ' .. m.mode .. ' ' .. m.unknown .. ' ' .. m.project .. ' ' .. m.accepted .. ' ' .. num(m.deadline) .. ' ' ..
		m.open .. ' ' .. m.n .. ' ' .. m.J .. ' ' .. m.R .. ' ' .. m.bytes .. ' ' .. m.chunks .. ' ' .. m.sender .. '\n' }
	local k = 1
	for j = 0, m.J - 1 do
		local o = m.jobs[j]
		k = k + 1
		a[k] = o.open .. ' ' .. o.crashes .. ' ' .. o.epoch .. ' ' .. o.settled .. ' ' .. o.dest .. '\n'
	end
	for r = 0, m.R - 1 do
		local o = m.rcpts[r]
		k = k + 1
		a[k] = o.state .. ' ' .. o.job .. ' ' .. o.attempts .. ' ' .. o.code .. ' ' .. o.at .. ' ' .. o.n .. ' ' .. o.email .. '\n'
	end
	a[k + 1] = m.tail
	return concat(a) .. concat(m.new)
end
local function is_open(o) return o.state == 'queued' or o.state == 'deferred' or o.state == 'scheduled' or o.state == 'held' end

-- Facts of this call, written once by flush_facts: changed records, log entries, contents to drop.
local changed, logs, ended = {}, {}, {}
local lists = {}                               -- suffix of l:<project>: -> ids to add, and until when the list is wanted
local HOUR, USUAL = 3600000, 172800000         -- a list that only accept adds to outlives what may come an hour later with the usual deadline
local function enlist(suffix, entry, till, is_accept_s)
	local l = lists[suffix]
	if not l then l = { till = till, is_accept_s = is_accept_s }; lists[suffix] = l end
	if till > l.till then l.till = till end
	l[#l + 1] = entry
end
local function flush_lists(retention)
	for suffix, l in pairs(lists) do
		local key, within = P .. 'l:' .. suffix, math.max(l.till - now, 0)
		local len
		for i = 1, #l, 4000 do len = call('RPUSH', key, unpack(l, i, math.min(i + 3999, #l))) end
		if len == #l then call('PEXPIRE', key, num((l.is_accept_s and math.max(within, USUAL) + HOUR or within) + retention))
		elseif not l.is_accept_s or within > USUAL then call('PEXPIRE', key, num(within + retention), 'GT') end
	end
end
local function had(m, state)                   -- did a recipient of m come to this state before?
	local line = '\n%d+ ' .. state .. ' '
	return match(m.tail, line) or match('\n' .. concat(m.new), line)
end
local function enlist_state(id, m, state)
	enlist(m.project .. ':' .. floor(tonumber(m.accepted) / 3600000) .. ':s:' .. state, id, m.deadline)
end
local function note(id, m, kind, r, code, dup, text)   -- an event of message m; r: recipient number or '-'
	m.n = m.n + 1
	m.new[#m.new + 1] = m.n .. ' ' .. kind .. ' ' .. r .. ' ' .. num(now) .. ' ' .. code .. ' ' .. (dup and 'dup' or '-') .. ' ' .. text .. '\n'
	changed[id] = m
	local l = logs[m.project]
	if not l then l = {}; logs[m.project] = l end
	l[#l + 1] = id .. ' ' .. m.n .. '\n'
end
local function set_state(id, m, r, state, code, dup, text)   -- recipient r gets a state, and its event
	local o = m.rcpts[r]
	if state ~= 'delivered' and not had(m, state) then enlist_state(id, m, state) end
	note(id, m, state, r, code, dup, text)
	o.state, o.code, o.at, o.n = state, code, num(now), m.n
	if is_open(o) then return end
	local job = m.jobs[o.job]
	job.open, m.open = job.open - 1, m.open - 1
	if m.open > 0 then return end
	ended[#ended + 1] = id
	for i = 1, m.R - 1 do
		if m.rcpts[i].state ~= m.rcpts[0].state then enlist_state(id, m, 'mixed'); return end
	end
end
local KEPT = 20
local function note_attempt(id, m, jn, epoch, events, text)  -- an attempt of job jn, after the events that it led to
	if events == 0 then return end
	m.tried = m.tried or {}                -- the places in m.new of those of this call
	m.tried[#m.tried + 1] = #m.new + 1
	m.new[#m.new + 1] = 'a ' .. jn .. ' ' .. epoch .. ' ' .. events .. ' ' .. text .. '\n'
	changed[id] = m
	if m.n <= KEPT then return end         -- each has an event, and the first event is none's
	local n, p, oldest = #m.tried, 1, nil
	repeat
		p = string.find(m.tail, '\na ', p, true)
		if p then n = n + 1; oldest = oldest or p; p = p + 1 end
	until not p
	if n <= KEPT then return end
	if oldest then m.tail = sub(m.tail, 1, oldest) .. sub(m.tail, string.find(m.tail, '\n', oldest + 1, true) + 1)
	else m.new[table.remove(m.tried, 1)] = '' end
end
local function flush_facts(retention)
	local sets = {}
	for id, m in pairs(changed) do
		sets[#sets + 1] = P .. 'm:' .. id
		sets[#sets + 1] = format(m)
	end
	chunked('MSET', nil, sets, 4000)
	for project, l in pairs(logs) do call('XADD', P .. 'ev:' .. project, '*', 'e', concat(l)) end
	flush_lists(retention)
	if #ended == 0 then return end
	local gone = {}
	for i = 1, #ended do
		local id = ended[i]
		gone[#gone + 1] = P .. 'c:' .. id
		for k = 0, changed[id].chunks - 1 do gone[#gone + 1] = P .. 'c:' .. id .. ':' .. k end
	end
	chunked('DEL', nil, gone, 4000)
	local hour = floor((now + retention) / 3600000)
	if hour < tonumber(call('GET', P .. 'ret_cursor') or '0') then call('SET', P .. 'ret_cursor', hour) end      -- the clock went back
	chunked('RPUSH', P .. 'ret:' .. hour, ended, 4000)
end
local function each_open(m, jn, fn)            -- fn(recipient number) for the open recipients of job jn
	for r = 0, m.R - 1 do if m.rcpts[r].job == jn and is_open(m.rcpts[r]) then fn(r) end end
end
local function ref_of(id, j) return id .. (j == 0 and '000' or fmt('%03x', j)) end
local function split(ref) return sub(ref, 1, -4), tonumber(sub(ref, -3), 16) end
local records, texts = {}, {}                  -- id -> record, its text as it was read (false: there is none)
local function load(ids)                       -- id -> record (false: missing or damaged); each is read once a call
	local keys, names = {}, {}
	for i = 1, #ids do
		if records[ids[i]] == nil then
			records[ids[i]] = false
			keys[#keys + 1] = P .. 'm:' .. ids[i]
			names[#names + 1] = ids[i]
		end
	end
	local got = many('MGET', nil, keys)
	for i = 1, #names do
		records[names[i]] = parse(got[i]) or false
		texts[names[i]] = got[i]
	end
	return records
end
local function lease_of(s)
	if not s then return nil end
	local epoch, dot, owner = match(s, '^(%d+) (%d) (%S+)$')
	return { epoch = tonumber(epoch), dot = dot == '1', owner = owner }
end
