#!lua
-- suppression_remove: takes an address off a suppression list.
-- KEYS 1 partition root. address: lower case. at_ms: the time of the removal. copies_ms: how late copies of older
-- entries may arrive.
--@include base suppression
--@args tenant address at_ms:number copies_ms:digits
-- returns 1, or 0: it is not on the list, or has a later time
local known = call('HGET', key_suppressed(tenant), address)
if copies_ms ~= '0' and removed_at(tenant, address) < at_ms then
	call('SET', key_suppressed_gone(tenant, address), digits(at_ms), 'PX', copies_ms)
end
if not known or tonumber(cjson.decode(known).at) > at_ms then return 0 end
call('ZREM', key_suppressed_at(tenant), address)
call('ZREM', key_suppressed_new(), tenant .. ' ' .. address)
return call('HDEL', key_suppressed(tenant), address)
