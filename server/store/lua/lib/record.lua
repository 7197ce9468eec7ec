-- record.lua: the record of a message, key_message(id), as lines of text. server/store/messages/record.c reads it too.
-- The lines --@row define the places of the words, also for C. The lines of a record, in order:
--@row head version lane mode choices project accepted_ms deadline_ms open events jobs recipients bytes chunks sender
--@row job open crashes epoch settled_epoch destination
--@row recipient state job attempts code at_ms event email
--   the head; a line for each job; a line for each recipient; the facts, one line of JSON that never changes; then
--   for each event     "<number> <type> <recipient or -> <at_ms> <code> <dup, sup or -> <text>"
--   for each attempt   "a <job> <epoch> <events> <attempt.h, or - if the relay died>". <events> is the number of events
--                      directly before the line that belong to the attempt. The last 20 attempts are kept.
-- `open` counts recipients without a final state, of the message or of the job. A job with 0 is over.
-- `event` is the number of the recipient's last event, 0 for none.
local HEAD = '^1 ((%l+) (%l+) (%S+) (%d+t?) (%d+) (%d+)) (%d+) (%d+) ((%d+) (%d+) (%d+) (%d+) %S+)\n()'

-- Returns a message with the values of its head, and where the line of its first job begins; nil: absent or damaged.
local function parse_head(text)
	if not text then return nil end
	local front, lane, mode, choices, project, accepted_ms, deadline_ms, open, events, back, jobs, recipients,
		bytes, chunks, after = match(text, HEAD)
	if not after then return nil end
	return { front = front, lane = lane, mode = mode, choices = choices, project = project,
		accepted_ms = tonumber(accepted_ms), deadline_ms = tonumber(deadline_ms), open = tonumber(open),
		events = tonumber(events), back = back, job_count = tonumber(jobs),
		recipient_count = tonumber(recipients), bytes = tonumber(bytes), chunks = tonumber(chunks) }, after
end

-- choices: names with commas between them, or '-'; server/store/messages/choices.c has them.
local function has_choice(message, name)
	return find(',' .. message.choices .. ',', ',' .. name .. ',', 1, true) ~= nil
end

-- front: the words from lane to deadline_ms. back: those from jobs to sender. Neither ever changes.
local function head_line(front, open, events, back)
	return '1 ' .. front .. ' ' .. open .. ' ' .. events .. ' ' .. back .. '\n'
end

local JOB = '^(%d+) (%d+) (%d+) (%d+) (%S+)\n()'
local RECIPIENT = '^(%l+) (%d+) (%d+) (%d+) (%d+) (%d+) (%S+)\n()'

-- Returns the job whose line begins at the position, and where the next line begins; nil: damaged.
local function parse_job(text, position)
	local open, crashes, epoch, settled, destination, after = match(text, JOB, position)
	if not after then return nil end
	return { open = tonumber(open), crashes = tonumber(crashes), epoch = tonumber(epoch),
		settled_epoch = tonumber(settled), destination = destination }, after
end

-- Returns the whole message; nil: absent or damaged. Raises no error for any text.
local function parse_record(text)
	local message, position = parse_head(text)
	if not message then return nil end
	local jobs, recipients = {}, {}
	for j = 0, message.job_count - 1 do
		jobs[j], position = parse_job(text, position)
		if not position then return nil end
	end
	for r = 0, message.recipient_count - 1 do
		local state, job, attempts, code, at_ms, event, email, after = match(text, RECIPIENT, position)
		if not after or not jobs[tonumber(job)] then return nil end
		recipients[r] = { state = state, job = tonumber(job), attempts = tonumber(attempts), code = code,
			at_ms = at_ms, event = event, email = email }
		position = after
	end
	message.jobs, message.recipients = jobs, recipients
	message.tail = sub(text, position)     -- the facts, and the events and attempts before this call
	message.added = {}                     -- lines of this call
	message.size = message.open > 0 and #text    -- false: it has ended
	return message
end

local function format_record(message)
	local lines, n = { head_line(message.front, message.open, message.events, message.back) }, 1
	for j = 0, message.job_count - 1 do
		local job = message.jobs[j]
		n = n + 1
		lines[n] = job.open .. ' ' .. job.crashes .. ' ' .. job.epoch .. ' ' .. job.settled_epoch .. ' ' ..
			job.destination .. '\n'
	end
	for r = 0, message.recipient_count - 1 do
		local recipient = message.recipients[r]
		n = n + 1
		lines[n] = recipient.state .. ' ' .. recipient.job .. ' ' .. recipient.attempts .. ' ' ..
			recipient.code .. ' ' .. recipient.at_ms .. ' ' .. recipient.event .. ' ' ..
			recipient.email .. '\n'
	end
	lines[n + 1] = message.tail
	return concat(lines) .. concat(message.added)
end

-- The name of a job, "ref": the id and 3 hex digits.
local function job_ref(id, job_number) return id .. (job_number == 0 and '000' or format('%03x', job_number)) end

local function split_ref(ref) return sub(ref, 1, -4), tonumber(sub(ref, -3), 16) end

-- Records that this call has read: id -> message (false: missing or damaged); id -> text (false: missing).
local messages = {}
local texts = {}

-- Reads what was not read yet, in one call to Redis. width: 2 = records and contents, 1 = records. Returns the ids, and
-- for each of them `width` values in a flat list.
local function read_new(ids, width)
	local keys, names = {}, {}
	for i = 1, #ids do
		local id, n = ids[i], #keys
		if messages[id] == nil then
			messages[id] = false
			keys[n + 1] = key_message(id)
			if width == 2 then keys[n + 2] = key_content(id) end
			names[#names + 1] = id
		end
	end
	return names, read_in_pieces('MGET', nil, keys)
end

-- Reads the records that were not read yet. Returns `messages`.
local function load_messages(ids)
	local names, got = read_new(ids, 1)
	for i = 1, #names do
		messages[names[i]], texts[names[i]] = parse_record(got[i]) or false, got[i]
	end
	return messages
end

local contents = {}                            -- id -> content; '': in chunks, or gone

-- Like load_messages, but reads the contents, and of the records only the heads; then job_of and whole read more.
local function load_heads(ids)
	local names, got = read_new(ids, 2)
	for i = 1, #names do
		local id, text = names[i], got[i * 2 - 1]
		local message, jobs_at = parse_head(text)
		if message then message.jobs, message.text, message.jobs_at = {}, text, jobs_at end
		messages[id], texts[id], contents[id] = message or false, text, got[i * 2] or ''
	end
end

-- Returns a job of a message; nil: it has no such job.
local function job_of(message, job_number)
	local job = message.jobs[job_number]
	if job or not message.jobs_at or job_number >= message.job_count then return job end
	local position = message.jobs_at
	for _ = 1, job_number do
		position = find(message.text, '\n', position, true)
		if not position then return nil end
		position = position + 1
	end
	job = parse_job(message.text, position)
	message.jobs[job_number] = job
	return job
end

-- Returns the whole message, of which the head was read; false: damaged.
local function whole(id)
	local message = messages[id]
	if message and message.jobs_at then
		message = parse_record(message.text) or false
		messages[id] = message
	end
	return message
end

local function is_open(recipient)
	local state = recipient.state
	return state == 'queued' or state == 'deferred' or state == 'scheduled' or state == 'held'
end

-- Calls visit(number, recipient) for the open recipients of a job.
local function each_open(message, job_number, visit)
	for r = 0, message.recipient_count - 1 do
		local recipient = message.recipients[r]
		if recipient.job == job_number and is_open(recipient) then visit(r, recipient) end
	end
end

-- Parses the value of a lease, "epoch dot owner", into a table; nil when there is no lease.
local function parse_lease(text)
	if not text then return nil end
	local epoch, dot, owner = match(text, '^(%d+) (%d) (%S+)$')
	return { epoch = tonumber(epoch), dot = dot == '1', owner = owner }
end
