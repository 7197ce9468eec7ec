-- suppression.lua: suppression lists. Each entry and each removal has a time, which is the same in all partitions, and
-- the latest wins. So all partitions end up with the same list, in whatever order they get the changes.

-- Returns when the address was last removed, 0 for never. Copies of older entries may still arrive.
local function removed_at(tenant, address)
	return tonumber(call('GET', key_suppressed_gone(tenant, address)) or '0')
end

-- json: {reason, at, message}. Does nothing if a later entry or removal is known.
local function suppress_address(tenant, address, json)
	local at = cjson.decode(json).at
	local known = call('HGET', key_suppressed(tenant), address)
	if known and tonumber(cjson.decode(known).at) >= tonumber(at) then return end
	if removed_at(tenant, address) >= tonumber(at) then return end
	call('HSET', key_suppressed(tenant), address, json)
	call('ZADD', key_suppressed_at(tenant), at, address)
	local bounced = key_suppressed_bounced(tenant)
	if cjson.decode(json).reason == 'bounce' then call('ZADD', bounced, at, address)
	else call('ZREM', bounced, address) end
end

-- Returns 1, or 0: it was not on the list.
local function forget_suppressed(tenant, address)
	call('ZREM', key_suppressed_at(tenant), address)
	call('ZREM', key_suppressed_bounced(tenant), address)
	call('ZREM', key_suppressed_new(), tenant .. ' ' .. address)
	return call('HDEL', key_suppressed(tenant), address)
end
