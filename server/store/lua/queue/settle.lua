#!lua flags=allow-oom
-- settle: writes the results of finished attempts: states, events, retries. Drops the content at the end.
-- KEYS 1 partition root
--@include base record change suppression
--@args owner retention_ms:number
--@item ref epoch:number retry_ms:number results
-- results: a line "h <attempt.h>" for each host that passed the mail on to the next, then perhaps a line
--   "a <attempt.h>", then for each recipient a line
--   "<number> <outcome> <code> <dup, sup or -> <text>"; outcome: delivered, bounced, deferred, failed
--   dup: it may get the mail twice. sup: bounced, and the address goes on the suppression list.
-- retry_ms: delay of deferred recipients. -1: these are final results of some recipients, or none; the lease stays,
--   in the state before its dot.
-- returns a status for each job.
-- Run again: BEFORE instead of APPLIED or LATE (LOST if a later attempt was settled in between); nothing changes.
-- A late "delivered" is applied, because it is true, also if Redis lost the lease. If another relay has the job before
-- its dot, it loses the lease. Other late results are dropped.
local LOST = 0    --@status  another relay has the job, or nothing was delivered
local APPLIED = 1 --@status
local BEFORE = 2  --@status  the same results were applied before
local LATE = 3    --@status  the lease was lost, but what was delivered is applied
local GONE = 4    --@status  no such job
local OUTCOMES = { delivered = true, bounced = true, deferred = true, failed = true }
local ATTEMPT_MAX = 800                        -- octets of an attempt line, as in attempt.h
local refs, ids, job_numbers, results, hosts, attempts = {}, {}, {}, {}, {}, {}

-- Takes a line "<letter> <attempt.h>" from the beginning. Returns it, or nil when there is none, and the other lines.
local function take_line(lines, letter)
	local line, after = match(lines, '^' .. letter .. ' ([ -~]+)\n()')
	if line and #line < ATTEMPT_MAX then return line, sub(lines, after) end
	return nil, lines
end

-- Returns the results of a job as a list, the hosts that passed it on, and the attempt; nil when malformed.
local function parse_results(lines)
	local list, length, passed_on, attempt, host = {}, 0, {}
	repeat
		host, lines = take_line(lines, 'h')
		passed_on[#passed_on + 1] = host
	until not host
	attempt, lines = take_line(lines, 'a')
	for recipient, outcome, code, flag, text in gmatch(lines, '(%d+) (%l+) (%d+) (%S+) ([^\n]*)\n') do
		if not OUTCOMES[outcome] then return nil end
		length = length + #recipient + #outcome + #code + #flag + #text + 5
		if flag ~= 'dup' and (flag ~= 'sup' or outcome ~= 'bounced') then flag = '-' end
		list[#list + 1] = { recipient = tonumber(recipient), outcome = outcome, code = code, flag = flag,
			text = text }
	end
	if length ~= #lines then return nil end
	return list, passed_on, attempt
end

for i = 1, item_count do                       -- check everything before the first write
	refs[i] = item_ref(i)
	ids[i], job_numbers[i] = split_ref(refs[i])
	results[i], hosts[i], attempts[i] = parse_results(item_results(i))
	if not results[i] or not item_epoch(i) or not item_retry_ms(i) then
		return redis.error_reply('PNARG settle results')
	end
end
local found, got = load_messages(ids), read_in_pieces('HMGET', key_lease(), refs)
local reply, leases, leases_over, leases_kept, due_over = {}, {}, {}, {}, {}
local due_ms = {}                              -- ref -> time of the next attempt
local is_settled_now = {}                      -- refs of jobs that this call settled
for i = 1, item_count do leases[refs[i]] = parse_lease(got[i]) end

local function suppress(message, id, email)
	local tenant, address = message.project, lower(email)
	if call('HEXISTS', key_suppressed(tenant), address) == 1 then return end
	local at = digits(max(now_ms, removed_at(tenant, address) + 1))
	suppress_address(tenant, address, cjson.encode({ reason = 'bounce', at = at, message = id }))
	call('ZADD', key_suppressed_new(), at, tenant .. ' ' .. address)
end

-- Applies the results of job i to open recipients and adds the attempt. Returns the number of applied results.
local function apply(i, message, epoch, only_delivered)
	local id, job_number, list, applied = ids[i], job_numbers[i], results[i], 0
	local events = message.events
	for k = 1, #list do
		local result = list[k]
		local recipient = message.recipients[result.recipient]
		if recipient and recipient.job == job_number and is_open(recipient) and
			(not only_delivered or result.outcome == 'delivered') then
			recipient.attempts = recipient.attempts + 1
			set_state(id, message, result.recipient, result.outcome, result.code, result.flag,
				result.text)
			if result.flag == 'sup' then suppress(message, id, recipient.email) end
			applied = applied + 1
		end
	end
	events = message.events - events
	if events == 0 then return applied end
	for k = 1, #hosts[i] do add_attempt(id, message, job_number, epoch, 0, hosts[i][k]) end
	if attempts[i] then add_attempt(id, message, job_number, epoch, events, attempts[i]) end
	return applied
end

local function end_lease(ref, job, lease)
	leases_over[#leases_over + 1] = ref
	leases[ref] = nil
	job.epoch = lease.epoch
end

-- The owner continues with the other recipients of the job. A repeated run applies nothing, and must not clear a dot
-- that was set in between. If the others were delivered late by another owner, the lease ends.
local function settle_part(i, message, job, lease, epoch)
	local is_empty = #results[i] == 0
	if not is_empty and apply(i, message, epoch, false) == 0 and job.open > 0 then return APPLIED end
	if job.open > 0 then
		if not is_empty then
			changed[ids[i]] = message
			job.epoch = epoch      -- the epoch of an attempt is at most that of its job
		end
		leases_kept[#leases_kept + 1] = refs[i]
		leases_kept[#leases_kept + 1] = digits(epoch) .. ' 0 ' .. owner
		return APPLIED
	end
	changed[ids[i]] = message
	end_lease(refs[i], job, lease)
	job.settled_epoch = epoch
	return APPLIED
end

local function settle_leased(i, message, job, lease, epoch)
	if item_retry_ms(i) < 0 then return settle_part(i, message, job, lease, epoch) end
	end_lease(refs[i], job, lease)
	is_settled_now[refs[i]] = true
	apply(i, message, epoch, false)
	job.settled_epoch, job.crashes = epoch, 0
	changed[ids[i]] = message
	due_ms[refs[i]] = max(min(now_ms + item_retry_ms(i), message.deadline_ms), now_ms)
	return APPLIED
end

-- The store knows no lease of this epoch, or it was settled. After a loss of Redis's last writes (durability relaxed)
-- the epoch may be above that of the job, or of another attempt.
local function settle_late(i, message, job, lease, epoch)
	local ref = refs[i]
	local is_at_dot = lease and lease.dot
	if is_at_dot and epoch > job.epoch then return LOST end    -- its owner has the same epoch, and will settle
	local was_settled = job.settled_epoch == epoch
	if was_settled and is_settled_now[ref] then return BEFORE end
	if apply(i, message, epoch, true) == 0 then return was_settled and BEFORE or LOST end
	if job.settled_epoch < epoch then job.settled_epoch = epoch end
	if lease and not is_at_dot then            -- another owner has it, before its dot: its fence will fail
		end_lease(ref, job, lease)
		due_ms[ref] = now_ms
	end
	job.epoch = max(job.epoch, epoch)
	if job.open == 0 then due_over[#due_over + 1] = ref end
	return LATE
end

local function settle(i)
	local ref, epoch, message = refs[i], item_epoch(i), found[ids[i]]
	local job, lease = message and message.jobs[job_numbers[i]], leases[ref]
	local status
	if not job then return GONE
	elseif lease and lease.owner == owner and lease.epoch == epoch then
		status = settle_leased(i, message, job, lease, epoch)
	else status = settle_late(i, message, job, lease, epoch) end
	if job.open == 0 then due_ms[ref] = nil end
	return status
end

for i = 1, item_count do reply[i] = settle(i) end
local due = {}
for ref, ms in pairs(due_ms) do
	due[#due + 1] = digits(ms)
	due[#due + 1] = ref
end
-- in this order: final results may follow results of a part of the same job
call_in_pieces('HSET', key_lease(), leases_kept)
call_in_pieces('HDEL', key_lease(), leases_over)
call_in_pieces('ZREM', key_lease_end(), leases_over)
call_in_pieces('ZREM', key_due(), due_over)
call_in_pieces('ZADD', key_due(), due)
write_changes(retention_ms)
return reply
