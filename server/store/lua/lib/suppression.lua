-- suppression.lua: suppression lists. Each entry and each removal has a time, the same in all partitions, and the later
-- one wins. So all partitions end with the same list, whatever the order in which they get the changes.

-- When the address was last removed, 0 for never: copies of older entries may still be on their way.
local function removed_at(tenant, address)
	return tonumber(call('GET', key_suppressed_gone(tenant, address)) or '0')
end

-- json: {reason, at, message}. Nothing happens when something later is known.
local function suppress_address(tenant, address, json)
	local at = cjson.decode(json).at
	local known = call('HGET', key_suppressed(tenant), address)
	if known and tonumber(cjson.decode(known).at) >= tonumber(at) then return end
	if removed_at(tenant, address) >= tonumber(at) then return end
	call('HSET', key_suppressed(tenant), address, json)
	call('ZADD', key_suppressed_at(tenant), at, address)
end
