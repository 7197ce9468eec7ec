#!lua
-- accept: stores a batch of messages, each completely or not at all. No flags: a full store refuses it.
-- KEYS 1 partition root. latest_ms: refuse after this Redis time, 0 = never. key_life_ms: life of an Idempotency-Key.
--@include base record change turns ready
--@args latest_ms:number key_life_ms:digits retention_ms:number
--@item id head idempotency fingerprint jobs recipients facts marks tag_marks
--@item max_messages:number max_bytes:number content:bytes
-- head: "lane mode choices project within_ms not_before_ms bytes chunks sender". idempotency: a hash, '' = no key.
-- jobs, recipients, facts: lines as in the record. marks, tag_marks: 6 hex digits for each recipient and each tag
-- (list_mark.h). max_messages, max_bytes: what the project may have in this partition, with this message; 0 = no limit.
-- content: '' when it is in chunks.
-- returns the row of each message. note: of an accepted message, its recipients on the suppression list as JSON,
-- "[0,2]", '' = none. FULL: the limit that it would exceed and what the project has now: "queued 100", "bytes 2000".
--@row message status id accepted_ms note
-- Recipients on the project's suppression list end here. The facts get "suppressed":[their numbers], so that a repeated
-- reply is the same. Run again: the same reply, with two exceptions. A MALFORMED, FULL or NO_CHUNKS message gets
-- another status if a message of the batch took its Idempotency-Key. A FULL one is accepted if there is room now.
-- The chunks of a message that is not accepted are deleted.
local COMMITTED = 1 --@status
local REPLAYED = 2  --@status  id is of the first message with the Idempotency-Key
local CONFLICT = 3  --@status  the same key with another fingerprint
local LATE = 4      --@status
local MALFORMED = 5 --@status
local NO_CHUNKS = 6 --@status
local FULL = 7      --@status
local HEAD_ARGUMENT = '^((%l+) (%l+) %S+ (%d+t?)) (%d+) (%d+) ((%d+) (%d+) %S+)$'
local PROJECT_OF_HEAD = '^%l+ %l+ %S+ (%d+t?) '
-- Matches the end of the facts and the beginning of the first event in a record.
local SUPPRESSED_FACT = ',"suppressed":(%[[%d,]+%])}\n1 queued %- '
local MAX_JOBS = 4096
local IS_LANE, IS_MODE = { otp = true, normal = true, bulk = true }, { live = true, test = true }
local reply, accepted = {}, {}
local seen = {}                                -- id -> accepted message; key of an Idempotency-Key -> its value

-- Checks the lines of jobs. Returns the number of recipients of each job, from 1, and the destinations; nil: malformed.
local function read_jobs(text, is_test)
	local open, destinations, length = {}, {}, 0
	for count, destination in gmatch(text, '(%d+) 0 0 0 (%S+)\n') do
		local n = #open + 1
		open[n], destinations[n], length = tonumber(count), destination, length + #count + #destination + 8
		if open[n] == 0 or is_test ~= (sub(destination, 1, 5) == 'sink/') then return nil end
	end
	if length ~= #text or #open == 0 or #open > MAX_JOBS then return nil end
	return open, destinations
end

-- Checks the lines of recipients against the jobs. Returns the addresses; nil: malformed.
local function read_recipients(text, open)
	local emails, length = {}, 0
	for state, job, email in gmatch(text, '(%l+) (%d+) 0 0 0 0 (%S+)\n') do
		local n = tonumber(job) + 1
		if not open[n] or (state ~= 'queued' and state ~= 'scheduled') then return nil end
		open[n] = open[n] - 1
		emails[#emails + 1] = email
		length = length + #state + #job + #email + 11
	end
	if length ~= #text then return nil end
	for n = 1, #open do if open[n] ~= 0 then return nil end end
	return emails
end

-- Returns message i with its record; nil: malformed.
local function read_message(i)
	local front, lane, mode, project, within_ms, not_before_ms, sizes, bytes, chunks =
		match(item_head(i), HEAD_ARGUMENT)
	local facts, marks, tag_marks = item_facts(i), item_marks(i), item_tag_marks(i)
	if not front or not IS_LANE[lane] or not IS_MODE[mode] then return nil end
	if #facts == 0 or find(facts, '\n', 1, true) then return nil end
	local open, destinations = read_jobs(item_jobs(i), mode == 'test')
	local emails = open and read_recipients(item_recipients(i), open)
	if not emails or #marks ~= #emails * 6 or find(marks, '[^0-9a-f]') then return nil end
	if #tag_marks % 6 ~= 0 or find(tag_marks, '[^0-9a-f]') then return nil end
	local start_ms = tonumber(not_before_ms)
	if start_ms <= now_ms then start_ms = 0 end
	local deadline_ms = max(start_ms, now_ms) + tonumber(within_ms)
	local head = head_line(front .. ' ' .. now_digits .. ' ' .. digits(deadline_ms), #emails, 1,
		#destinations .. ' ' .. #emails .. ' ' .. sizes)
	return { i = i, id = item_id(i), lane = lane, project = project, chunks = tonumber(chunks),
		destinations = destinations, emails = emails, start_ms = start_ms,
		deadline_ms = deadline_ms, bytes = tonumber(bytes), replies = {},
		record = head .. item_jobs(i) .. item_recipients(i) .. facts ..
			'\n1 queued - ' .. now_digits .. ' 0 - \n' }
end

local function has_chunks(message)
	for chunk = 0, message.chunks - 1 do
		if call('EXISTS', key_content_chunk(message.id, chunk)) == 0 then return false end
	end
	return true
end

-- Counts the message for its project. Returns nothing; if it would exceed a limit: the limit and what is used.
local function count_message(message, i)
	local used, limit = usage_of(message.project), item_max_messages(i)
	if limit > 0 and used.count >= limit then return 'queued ' .. digits(used.count) end
	local job_count = #message.destinations
	local bytes = kept_bytes(#message.record, #message.emails, job_count) + queued_bytes(message.bytes, job_count)
	limit = item_max_bytes(i)
	if limit > 0 and used.bytes + bytes > limit then return 'bytes ' .. digits(used.bytes) end
	used.count, used.bytes = used.count + 1, used.bytes + bytes
end

-- Accepts message i, which is new. key: the Redis key of its Idempotency-Key, false for none. Returns status and note.
local function accept(i, key)
	local message = read_message(i)
	if not message then return MALFORMED, '' end
	if not has_chunks(message) then return NO_CHUNKS, '' end
	local excess = count_message(message, i)
	if excess then return FULL, excess end
	accepted[#accepted + 1] = message
	seen[message.id] = message
	if key then
		message.idempotency = key
		seen[key] = item_fingerprint(i) .. ' ' .. message.id
	end
	return COMMITTED, ''
end

-- For each message: the Redis key of its Idempotency-Key (false for none), the value of that key, and its record.
local function read_known()
	local record_keys, key_of, keys, values = {}, {}, {}, {}
	for i = 1, item_count do
		local project = item_idempotency(i) ~= '' and match(item_head(i), PROJECT_OF_HEAD)
		record_keys[i] = key_message(item_id(i))
		key_of[i] = project and key_idempotency(project, item_idempotency(i)) or false
		if project then keys[#keys + 1] = key_of[i] end
	end
	local got = read_in_pieces('MGET', nil, keys)
	for n = 1, #keys do values[keys[n]] = got[n] end
	return key_of, values, read_in_pieces('MGET', nil, record_keys)
end

local chunks_over = {}

local function drop_chunks(i)
	local chunks = tonumber(match(item_head(i), ' (%d+) %S+$') or '0')
	for chunk = 0, chunks - 1 do chunks_over[#chunks_over + 1] = key_content_chunk(item_id(i), chunk) end
end

-- Checks each message and decides its status. Writes nothing.
local function decide()
	local key_of, values, records = read_known()
	for i = 1, item_count do
		local id, key, record = item_id(i), key_of[i], records[i]
		local value = key and (seen[key] or values[key])
		local status, accepted_ms, note, replied_id = COMMITTED, 0, '', id
		if record or seen[id] then
			local head = parse_head(record)
			accepted_ms = head and head.accepted_ms or now_ms
			note = record and match(record, SUPPRESSED_FACT) or ''
		elseif value then
			local fingerprint, first_id = match(value, '^(%S+) (%S+)$')
			status, replied_id = fingerprint == item_fingerprint(i) and REPLAYED or CONFLICT, first_id
		elseif latest_ms > 0 and now_ms > latest_ms then status = LATE
		else
			status, note = accept(i, key)
			if status == COMMITTED then accepted_ms = now_ms end
		end
		if status ~= COMMITTED then drop_chunks(i)
		elseif seen[id] then table.insert(seen[id].replies, i * 4) end
		local n = i * 4 - 3
		reply[n], reply[n + 1], reply[n + 2], reply[n + 3] = status, replied_id, accepted_ms, note
	end
end

-- Returns project -> suppression entries of all its recipients. The entries of a message follow place message.first.
local function look_up_suppressed()
	local addresses, entries = {}, {}
	for n = 1, #accepted do
		local message = accepted[n]
		local list = addresses[message.project] or {}
		addresses[message.project] = list
		message.first = #list
		for r = 1, #message.emails do list[#list + 1] = lower(message.emails[r]) end
	end
	for project, list in pairs(addresses) do
		entries[project] = read_in_pieces('HMGET', key_suppressed(project), list)
	end
	return entries
end

-- Ends the suppressed recipients. Returns the message with its jobs; nil when no recipient is suppressed.
local function suppress(message, entries)
	local parsed, numbers
	for r = 1, #message.emails do
		if entries[message.first + r] then
			if not parsed then parsed, numbers = parse_record(message.record), {} end
			numbers[#numbers + 1] = digits(r - 1)
			set_state(message.id, parsed, r - 1, 'suppressed', 0, '-', SUPPRESSED_TEXT)
		end
	end
	if parsed then
		local list, facts_end = '[' .. concat(numbers, ',') .. ']', #item_facts(message.i)
		local fact = ',"suppressed":' .. list
		parsed.tail = sub(parsed.tail, 1, facts_end - 1) .. fact .. sub(parsed.tail, facts_end)
		for n = 1, #message.replies do reply[message.replies[n]] = list end
	end
	return parsed
end

local hour = digits(floor(now_ms / HOUR_MS))

-- Adds a message to the lists for searches.
local function enlist_message(message)
	local id, project, deadline_ms = message.id, message.project, message.deadline_ms
	enlist(key_list(project, hour), id, deadline_ms, true)
	for prefix, rest in gmatch(item_tag_marks(message.i), '(..)(....)') do
		enlist(key_list_tag(project, hour, prefix), id .. rest, deadline_ms, true)
	end
	for prefix, rest in gmatch(item_marks(message.i), '(..)(....)') do
		enlist(key_list_recipient(project, hour, prefix), id .. rest, deadline_ms, true)
	end
end

local sets, due, deadlines, log = {}, {}, {}, {}    -- deadlines: minute -> ids; log: project -> lines
local deadline_cursor = tonumber(call('GET', key_deadline_cursor()) or '0')

local function append(lists_by_name, name, entry)
	local list = lists_by_name[name]
	if not list then
		list = {}
		lists_by_name[name] = list
	end
	list[#list + 1] = entry
end

-- Queues the jobs: ready or due. jobs: nil when no recipient is suppressed.
local function queue_jobs(message, jobs)
	for j = 0, #message.destinations - 1 do
		local ref = job_ref(message.id, j)
		local is_open_job = not jobs or jobs[j].open > 0
		if is_open_job and message.start_ms > 0 then
			due[#due + 1] = digits(message.start_ms)
			due[#due + 1] = ref
		elseif is_open_job then
			make_ready(message.lane, message.project, message.destinations[j + 1], ref)
		end
	end
end

local function add_deadline(message)
	local minute = floor(message.deadline_ms / MINUTE_MS) + 1
	if minute < deadline_cursor then           -- the clock went back
		deadline_cursor = minute
		call('SET', key_deadline_cursor(), minute)
	end
	append(deadlines, minute, message.id)
end

decide()
local suppressed_entries = look_up_suppressed()
for n = 1, #accepted do
	local message = accepted[n]
	sets[#sets + 1] = key_message(message.id)
	sets[#sets + 1] = message.record
	if message.chunks == 0 then
		sets[#sets + 1] = key_content(message.id)
		sets[#sets + 1] = item_content(message.i)
	end
	enlist_message(message)
	local parsed = suppress(message, suppressed_entries[message.project])
	queue_jobs(message, parsed and parsed.jobs)
	add_deadline(message)
	append(log, message.project, message.id .. ' 1\n')
end
call_in_pieces('MSET', nil, sets)              -- the largest write comes first: it fails before others are made
call_in_pieces('DEL', nil, chunks_over)
for n = 1, #accepted do
	local message = accepted[n]
	for chunk = 0, message.chunks - 1 do call('PERSIST', key_content_chunk(message.id, chunk)) end
	if message.idempotency then call('SET', message.idempotency, seen[message.idempotency], 'PX', key_life_ms) end
end
for minute, ids in pairs(deadlines) do call_in_pieces('RPUSH', key_deadlines(minute), ids) end
for project, lines in pairs(log) do call('XADD', key_log(project), '*', 'e', concat(lines)) end
call_in_pieces('ZADD', key_due(), due)
write_changes(retention_ms)
write_ready('RPUSH')
return reply
