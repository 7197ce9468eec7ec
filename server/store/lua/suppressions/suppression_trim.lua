#!lua flags=allow-oom
-- suppression_trim: removes entries by bounces from suppression lists: those whose life is over, and the oldest ones of
-- a list that has too many entries. Other entries stay.
-- KEYS 1 partition root. most: entries of a list. life_ms: 0 = entries stay.
--@include base suppression
--@args most:number life_ms:number
--@item tenant
-- has_more: 1 = there is more to remove, run again.
--@returns expired dropped has_more
local STEP = 1000
local expired, dropped, has_more = 0, 0, 0

local function forget_all(tenant, addresses)
	for i = 1, #addresses do forget_suppressed(tenant, addresses[i]) end
	if #addresses == STEP then has_more = 1 end
	return #addresses
end

for i = 1, item_count do
	local tenant = item_tenant(i)
	local bounced = key_suppressed_bounced(tenant)
	if life_ms > 0 then
		local over = call('ZRANGE', bounced, '-inf', digits(now_ms - life_ms), 'BYSCORE', 'LIMIT', 0, STEP)
		expired = expired + forget_all(tenant, over)
	end
	local excess = min(call('HLEN', key_suppressed(tenant)) - most, STEP)
	if excess > 0 then dropped = dropped + forget_all(tenant, call('ZRANGE', bounced, 0, excess - 1)) end
end
return { expired, dropped, has_more }
