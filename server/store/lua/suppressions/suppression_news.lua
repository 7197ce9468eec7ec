#!lua flags=allow-oom
-- suppression_news: entries that a bounce made in this partition and that the others may not have yet.
-- KEYS 1 partition root
--@include base
--@args most:number
-- returns the row of each entry
--@row entry tenant address json
local names, reply = call('ZRANGE', key_suppressed_new(), 0, most - 1), {}
for i = 1, #names do
	local tenant, address = match(names[i], '^(%S+) (.*)$')
	local json, n = call('HGET', key_suppressed(tenant), address), #reply
	if json then reply[n + 1], reply[n + 2], reply[n + 3] = tenant, address, json
	else call('ZREM', key_suppressed_new(), names[i]) end
end
return reply
