-- slots.lua: returns slots of closed connections, so that the site has room for others.

-- If the site was full, it has room again: it gets a turn back from each project with ready jobs there.
local function make_room(site)
	if call('SREM', key_full(), site) == 0 then return end
	for i = 1, #LANES do
		local projects = call('ZRANGE', key_queue_projects(LANES[i], site), '0', '-1')
		for n = 1, #projects do add_site(LANES[i], projects[n], site) end
	end
end

-- Returns `count` slots of the owner for the site.
local function return_slots(owner, site, count)
	local held = tonumber(call('HGET', key_slots_of(owner), site) or '0')
	if count > held then count = held end
	if count <= 0 then return end
	if held == count then
		call('HDEL', key_slots_of(owner), site)
	else
		call('HINCRBY', key_slots_of(owner), site, -count)
	end
	if call('HINCRBY', key_slots(), site, -count) <= 0 then call('HDEL', key_slots(), site) end
	make_room(site)
end
