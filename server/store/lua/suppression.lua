#!lua
-- suppression: the addresses that a project's mail does not go to.
-- KEYS 1 partition root
-- ARGV 1 mode:project, then
--      "look" | address (lower case)   -> {now, JSON or '', when it was removed}
--      "put" | address | JSON          -> 1: it is there, unless something later is
--      "remove" | address | time of the removal, ms | how long copies of older entries may be on their way, ms -> 1 removed, 0 unknown or later
--      "list" | ms to begin at, downwards, or +inf | how many of just that ms to pass over | at most so many -> address, JSON, ...
--@include base
--@include listed
local tenant, what, arg = ARGV[1], ARGV[2], ARGV[3]
local sup, sup_at = P .. 'sup:' .. tenant, P .. 'sup_at:' .. tenant
if what == 'look' then return { now, call('HGET', sup, arg) or '', gone_at(tenant, arg) }
elseif what == 'put' then
	put(tenant, arg, ARGV[4])
	return 1
elseif what == 'remove' then
	local at, known = tonumber(ARGV[4]), call('HGET', sup, arg)
	if ARGV[5] ~= '0' and gone_at(tenant, arg) < at then call('SET', P .. 'sup_gone:' .. tenant .. ':' .. arg, num(at), 'PX', ARGV[5]) end
	if not known or tonumber(cjson.decode(known).at) > at then return 0 end
	call('ZREM', sup_at, arg)
	call('ZREM', P .. 'sup_new', tenant .. ' ' .. arg)
	return call('HDEL', sup, arg)
end
local emails, out = call('ZRANGE', sup_at, arg, '-inf', 'BYSCORE', 'REV', 'LIMIT', ARGV[4], ARGV[5]), {}
local known = #emails > 0 and call('HMGET', sup, unpack(emails)) or {}
for i = 1, #emails do
	out[#out + 1] = emails[i]
	out[#out + 1] = known[i]
end
return out
