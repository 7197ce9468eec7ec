-- change.lua: events and states of messages, and what the messages of a tenant take. Collects the changes;
-- write_changes writes all of them at the end.
local changed = {}                             -- id -> message whose record is to be written
local log_lines = {}                           -- project -> "id event" lines for its log
local ended = {}                               -- ids of messages whose last recipient is done
local lists = {}                               -- key -> ids to add; until_ms: when the list may expire

-- accept adds to a list during one hour. The list's expiry covers all messages of that hour with a usual deadline, so
-- it seldom needs another PEXPIRE.
local USUAL_DEADLINE_MS = 172800000

local function enlist(key, entry, until_ms, is_by_accept)
	local list = lists[key]
	if not list then
		list = { until_ms = until_ms, is_by_accept = is_by_accept }
		lists[key] = list
	end
	if until_ms > list.until_ms then list.until_ms = until_ms end
	list[#list + 1] = entry
end

local function write_lists(retention_ms)
	for key, list in pairs(lists) do
		local life_ms, length = max(list.until_ms - now_ms, 0)
		for first = 1, #list, PIECE do
			length = call('RPUSH', key, unpack(list, first, min(first + PIECE - 1, #list)))
		end
		if length == #list then
			if list.is_by_accept then life_ms = max(life_ms, USUAL_DEADLINE_MS) + HOUR_MS end
			call('PEXPIRE', key, digits(life_ms + retention_ms))
		elseif not list.is_by_accept or life_ms > USUAL_DEADLINE_MS then
			call('PEXPIRE', key, digits(life_ms + retention_ms), 'GT')
		end
	end
end

local function enlist_state(id, message, state)
	local hour = digits(floor(message.accepted_ms / HOUR_MS))
	enlist(key_list_state(message.project, hour, state), id, message.deadline_ms)
end

local EVENTS_MAX = 1000                        -- after these, a recipient that is deferred again gets no event
local LAST_TEXT = 'further deferrals of this message are not logged'

local function has_last_event(message)
	return find(message.tail, LAST_TEXT, 1, true) or find(concat(message.added), LAST_TEXT, 1, true)
end

-- True if a recipient has reached this state before.
local function had_state(message, state)
	local line = '\n%d+ ' .. state .. ' '
	return match(message.tail, line) or match('\n' .. concat(message.added), line)
end

-- True if an event says that the recipient may have got the mail twice.
local function has_duplicate_event(message, recipient_number)
	local line = '\n%d+ %l+ ' .. recipient_number .. ' %d+ %d+ dup '
	return match(message.tail, line) or match('\n' .. concat(message.added), line)
end

-- Adds an event to the record and to the project's log.
local function add_event(id, message, kind, recipient_number, code, flag, text)
	local number = message.events + 1
	message.events = number
	message.added[#message.added + 1] = number .. ' ' .. kind .. ' ' .. recipient_number .. ' ' .. now_digits ..
		' ' .. code .. ' ' .. flag .. ' ' .. text .. '\n'
	changed[id] = message
	local log = log_lines[message.project]
	if not log then
		log = {}
		log_lines[message.project] = log
	end
	log[#log + 1] = id .. ' ' .. number .. '\n'
end

-- Sets the state of a recipient and adds the event. flag: 'dup': it may have got the mail twice; 'sup': the bounce put
-- the address on the suppression list; '-': none. A message with EVENTS_MAX events gets no further event for a
-- recipient that is deferred again: the last event says so. The first event with 'dup' is always added.
local function set_state(id, message, recipient_number, state, code, flag, text)
	local recipient = message.recipients[recipient_number]
	if state == 'deferred' and recipient.state == state and message.events >= EVENTS_MAX and
		(flag ~= 'dup' or has_duplicate_event(message, recipient_number)) then
		changed[id] = message
		if has_last_event(message) then return end
		code, text = 0, LAST_TEXT
	end
	if state ~= 'delivered' and not had_state(message, state) then enlist_state(id, message, state) end
	add_event(id, message, state, recipient_number, code, flag, text)
	recipient.state, recipient.code = state, code
	recipient.at_ms, recipient.event = now_digits, message.events
	if is_open(recipient) then return end
	local job = message.jobs[recipient.job]
	job.open, message.open = job.open - 1, message.open - 1
	if message.open > 0 then return end
	ended[#ended + 1] = id
	local first = message.recipients[0].state
	for r = 1, message.recipient_count - 1 do
		if message.recipients[r].state ~= first then return enlist_state(id, message, 'mixed') end
	end
end

local SUPPRESSED_TEXT = 'the address is on the suppression list'
local ATTEMPTS_KEPT = 20

-- Removes the oldest attempt if the message has more than it may keep.
local function drop_oldest_attempt(message)
	local count, position, oldest = #message.attempt_lines, 1
	repeat
		position = find(message.tail, '\na ', position, true)
		if position then
			count, oldest, position = count + 1, oldest or position, position + 1
		end
	until not position
	if count <= ATTEMPTS_KEPT then return end
	if oldest then
		local line_end = find(message.tail, '\n', oldest + 1, true)
		message.tail = sub(message.tail, 1, oldest) .. sub(message.tail, line_end + 1)
	else
		message.added[table.remove(message.attempt_lines, 1)] = ''
	end
end

-- Adds the line of an attempt. events: how many events before it belong to it; 0 for a host that passed the mail on.
-- An attempt without events is not kept, unless it is such a host.
local function add_attempt(id, message, job_number, epoch, events, text)
	message.attempt_lines = message.attempt_lines or {}    -- places in `added` of the attempts of this call
	table.insert(message.attempt_lines, #message.added + 1)
	message.added[#message.added + 1] = 'a ' .. job_number .. ' ' .. epoch .. ' ' .. events .. ' ' .. text .. '\n'
	changed[id] = message
	drop_oldest_attempt(message)
end

-- The bytes that a message takes: its record and
--   MESSAGE_BYTES for its keys, its entries in lists and log, ten tags, and an Idempotency-Key;
--   RECIPIENT_BYTES for each recipient: its entries in lists and log;
--   JOB_BYTES for each job: the site of its destination;
--   until it is finished, also its content, and QUEUE_BYTES for each job: the lists that lead to the job.
-- These sums are a little more than Redis needs.
local MESSAGE_BYTES = 1000
local RECIPIENT_BYTES = 100
local JOB_BYTES = 200
local QUEUE_BYTES = 700
local usage = {}                               -- tenant -> {count, bytes} with the changes of this call

local function usage_of(tenant)
	local used = usage[tenant]
	if not used then
		local count, bytes = match(call('HGET', key_usage(), tenant) or '0 0', '^(%d+) (%d+)$')
		used = { count = tonumber(count), bytes = tonumber(bytes) }
		usage[tenant] = used
	end
	return used
end

local function kept_bytes(record_bytes, recipient_count, job_count)
	return record_bytes + MESSAGE_BYTES + RECIPIENT_BYTES * recipient_count + JOB_BYTES * job_count
end

local function queued_bytes(content_bytes, job_count) return content_bytes + QUEUE_BYTES * job_count end

-- The record of an open message now has record_bytes.
local function count_growth(message, record_bytes)
	local used = usage_of(message.project)
	used.bytes = used.bytes + record_bytes - message.size
	message.size = record_bytes
end

-- A message has ended. Returns the bytes that it takes until the end of its retention.
local function count_end(message)
	local used = usage_of(message.project)
	used.count = used.count - 1
	used.bytes = used.bytes - queued_bytes(message.bytes, message.job_count)
	return kept_bytes(message.size, message.recipient_count, message.job_count)
end

local function write_usage()
	for tenant, used in pairs(usage) do
		local count, bytes = max(used.count, 0), max(used.bytes, 0)
		if count + bytes == 0 then call('HDEL', key_usage(), tenant)
		else call('HSET', key_usage(), tenant, digits(count) .. ' ' .. digits(bytes)) end
	end
end

-- Content goes when the last recipient is done; the record stays until the end of its retention.
local function drop_contents(retention_ms)
	local keys, kept = {}, {}
	for i = 1, #ended do
		local id, message = ended[i], changed[ended[i]]
		keys[#keys + 1] = key_content(id)
		for chunk = 0, message.chunks - 1 do keys[#keys + 1] = key_content_chunk(id, chunk) end
		kept[message.project] = (kept[message.project] or 0) + count_end(message)
	end
	call_in_pieces('DEL', nil, keys)
	local hour = floor((now_ms + retention_ms) / HOUR_MS)
	for tenant, bytes in pairs(kept) do call('HINCRBY', key_kept(hour), tenant, digits(bytes)) end
	local cursor = tonumber(call('GET', key_retention_cursor()) or '0')
	if hour < cursor then call('SET', key_retention_cursor(), hour) end    -- Redis's clock was set back
	call_in_pieces('RPUSH', key_retention(hour), ended)
end

local function write_changes(retention_ms)
	local records = {}
	for id, message in pairs(changed) do
		local text = format_record(message)
		records[#records + 1] = key_message(id)
		records[#records + 1] = text
		if message.size then count_growth(message, #text) end
	end
	call_in_pieces('MSET', nil, records)
	for project, lines in pairs(log_lines) do call('XADD', key_log(project), '*', 'e', concat(lines)) end
	write_lists(retention_ms)
	if #ended > 0 then drop_contents(retention_ms) end
	write_usage()
end
