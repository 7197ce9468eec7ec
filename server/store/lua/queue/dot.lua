#!lua flags=allow-oom
-- dot: the fence before the final dot. Also the renewal of leases, and the owner's sign of life.
-- KEYS 1 partition root. lease_ms: from now. is_dot: 0 = only a renewal. silence_ms: an owner without a sign of life
-- for this time counts as dead.
--@include base
--@args owner lease_ms:number is_dot:flag silence_ms:number
--@item ref epoch:digits
-- returns {when the leases expire, then for each job 1, or 0: the lease is lost, close without the dot}
-- Run again: the same reply.
local lease_end_ms = now_ms + lease_ms
local refs, marks, lease_ends, reply = {}, {}, {}, { lease_end_ms }
local lease_end = digits(lease_end_ms)
call('ZADD', key_owners(), digits(now_ms + silence_ms), owner)
for i = 1, item_count do refs[i] = item_ref(i) end
local leases = read_in_pieces('HMGET', key_lease(), refs)
local before_dot, at_dot = ' 0 ' .. owner, ' 1 ' .. owner
for i = 1, #refs do
	local epoch, lease = item_epoch(i), leases[i]
	if lease == epoch .. before_dot or lease == epoch .. at_dot then
		reply[i + 1] = 1
		if is_dot then
			marks[#marks + 1] = refs[i]
			marks[#marks + 1] = epoch .. at_dot
		end
		lease_ends[#lease_ends + 1] = lease_end
		lease_ends[#lease_ends + 1] = refs[i]
	else
		reply[i + 1] = 0
	end
end
call_in_pieces('HSET', key_lease(), marks)
for first = 1, #lease_ends, PIECE do           -- GT: a late renewal must not shorten the lease of a dot
	call('ZADD', key_lease_end(), 'GT', unpack(lease_ends, first, min(first + PIECE - 1, #lease_ends)))
end
return reply
