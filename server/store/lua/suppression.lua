#!lua
-- suppression: the addresses that a project's mail does not go to.
-- KEYS 1 partition root
-- ARGV 1 mode:project, then
--      "add" | address (lower case) | reason     -> {1 new or 0 known, JSON}
--      "get" | address                           -> {0, JSON} or {}
--      "remove" | address                        -> {1 removed or 0 unknown}
--      "list" | ms to begin at, downwards, or +inf | how many of just that ms to pass over | at most so many -> address, JSON, ...
--@include base
local tenant, what, arg = ARGV[1], ARGV[2], ARGV[3]
local sup, sup_at = P .. 'sup:' .. tenant, P .. 'sup_at:' .. tenant
if what == 'get' then
	local known = call('HGET', sup, arg)
	return known and { 0, known } or {}
elseif what == 'add' then
	local known = call('HGET', sup, arg)
	if known then return { 0, known } end
	local json = cjson.encode({ reason = ARGV[4], at = num(now) })
	call('HSET', sup, arg, json)
	call('ZADD', sup_at, num(now), arg)
	return { 1, json }
elseif what == 'remove' then
	call('ZREM', sup_at, arg)
	return { call('HDEL', sup, arg) }
end
local emails, out = call('ZRANGE', sup_at, arg, '-inf', 'BYSCORE', 'REV', 'LIMIT', ARGV[4], ARGV[5]), {}
local known = #emails > 0 and call('HMGET', sup, unpack(emails)) or {}
for i = 1, #emails do
	out[#out + 1] = emails[i]
	out[#out + 1] = known[i]
end
return out
