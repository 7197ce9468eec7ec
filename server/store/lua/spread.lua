#!lua flags=allow-oom
-- spread: brings what bounces put on suppression lists from their message's partition to the others.
-- KEYS 1 partition root
-- ARGV "news" | at most so many   -> what the others have not been told yet: mode:project, address, JSON, ...
--      "copy", then per entry 3: mode:project | address | JSON  -> 1: each is here, unless something later is
--      "done", then the same -> 1: they are no news any more, unless another JSON is there by now
-- Run again: the same.
--@include base
--@include listed
local what, out = ARGV[1], {}
if what == 'news' then
	local names = call('ZRANGE', P .. 'sup_new', 0, ARGV[2] - 1)
	for i = 1, #names do
		local tenant, address = match(names[i], '^(%S+) (.*)$')
		local json = call('HGET', P .. 'sup:' .. tenant, address)
		if json then
			out[#out + 1] = tenant
			out[#out + 1] = address
			out[#out + 1] = json
		else call('ZREM', P .. 'sup_new', names[i]) end
	end
	return out
end
for i = 2, #ARGV, 3 do
	local tenant, address, json = ARGV[i], ARGV[i + 1], ARGV[i + 2]
	if what == 'copy' then put(tenant, address, json)
	elseif call('HGET', P .. 'sup:' .. tenant, address) == json then call('ZREM', P .. 'sup_new', tenant .. ' ' .. address) end
end
return 1
