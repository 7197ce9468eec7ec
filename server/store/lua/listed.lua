-- listed.lua: the suppression lists. An entry has the time that it came to be, a removal its own, each the same in every partition; the
-- later one holds. So all partitions come to the same end, in whatever order they hear of them.
local function gone_at(tenant, address)        -- the last removal that copies of older entries may still be on their way from
	return tonumber(call('GET', P .. 'sup_gone:' .. tenant .. ':' .. address) or '0')
end
local function put(tenant, address, json)      -- JSON {reason, at, message}
	local sup, at = P .. 'sup:' .. tenant, cjson.decode(json).at
	local known = call('HGET', sup, address)
	if known and tonumber(cjson.decode(known).at) >= tonumber(at) or gone_at(tenant, address) >= tonumber(at) then return end
	call('HSET', sup, address, json)
	call('ZADD', P .. 'sup_at:' .. tenant, at, address)
end
