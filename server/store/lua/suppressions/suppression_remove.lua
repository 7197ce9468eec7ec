#!lua
-- suppression_remove: takes an address off a suppression list.
-- KEYS 1 partition root. address: lower case. at_ms: the time of the removal. copies_ms: how late copies of an older
-- entry by a bounce may arrive; 0 = there are no other partitions.
--@include base suppression
--@args tenant address at_ms:number copies_ms:digits
-- returns 1, or 0: it is not on the list, or has a later time
local PUT_MS = '60000'                         -- an entry by request is sent to all partitions within seconds
local known = call('HGET', key_suppressed(tenant), address)
if copies_ms ~= '0' and removed_at(tenant, address) < at_ms then
	local is_by_request = known and cjson.decode(known).reason ~= 'bounce'
	call('SET', key_suppressed_gone(tenant, address), digits(at_ms), 'PX', is_by_request and PUT_MS or copies_ms)
end
if not known or tonumber(cjson.decode(known).at) > at_ms then return 0 end
return forget_suppressed(tenant, address)
