-- ready.lua: puts jobs where take finds them, and sites where they have their turn.
local flows, order, active = {}, {}, {}
local function site_names(dests)               -- dest -> site
	local keys, out, ask = {}, {}, {}
	for i = 1, #dests do
		local d = dests[i]
		if sub(d, 1, 5) == 'sink/' then out[d] = 'sink' else keys[#keys + 1] = P .. 'site:' .. d; ask[#ask + 1] = d end
	end
	local got = many('MGET', nil, keys)
	for i = 1, #ask do out[ask[i]] = got[i] or ask[i] end
	return out
end
local function ready(lane, project, dest, ref)         -- collected; flush_ready writes
	local k = lane .. ':' .. project .. ':' .. dest
	local f = flows[k]
	if not f then
		f = { key = P .. 'q:' .. k, lane = lane, project = project, dest = dest }
		flows[k] = f
		order[#order + 1] = f
	end
	f[#f + 1] = ref
end
local function activate(lane, site) active[#active + 1] = { lane, site } end
local function wake()
	if call('DEL', P .. 'hungry') == 1 then call('PUBLISH', P .. 'wake', '') end
end
local function flush_active()
	if #active == 0 then return end
	local turn = call('GET', P .. 'turn') or '0'
	for i = 1, #active do
		local lane, site = active[i][1], active[i][2]
		if call('SISMEMBER', P .. 'full', site) == 0 then call('ZADD', P .. 'act:' .. lane, 'NX', turn, site) end
	end
end
local function flush_ready(cmd)                -- RPUSH: behind those that wait; LPUSH: in front of them
	local fresh, dests, total = {}, {}, 0
	for i = 1, #order do
		local f = order[i]
		local len
		if cmd == 'LPUSH' then                 -- the last one pushed is the first in line
			for a = 1, floor(#f / 2) do f[a], f[#f + 1 - a] = f[#f + 1 - a], f[a] end
		end
		for b = 1, #f, 4000 do
			local e = b + 3999
			if e > #f then e = #f end
			len = call(cmd, f.key, unpack(f, b, e))
		end
		total = total + #f
		if len == #f and call('RPUSH', P .. 'r:' .. f.lane .. ':' .. f.dest, f.project) == 1 then
			fresh[#fresh + 1] = f
			dests[#dests + 1] = f.dest
		end
	end
	if total > 0 then call('INCRBY', P .. 'ready', total) end
	if #fresh > 0 then
		local sites = site_names(dests)
		for i = 1, #fresh do
			local f = fresh[i]
			local site = sites[f.dest]
			if call('RPUSH', P .. 's:' .. f.lane .. ':' .. site, f.dest) == 1 then activate(f.lane, site) end
		end
	end
	flush_active()
	if #order + #active > 0 then wake() end
end
local function has_room(site)                  -- after a connection of site was given up
	if call('SREM', P .. 'full', site) == 0 then return end
	for l = 1, 3 do
		if call('EXISTS', P .. 's:' .. LANES[l] .. ':' .. site) == 1 then activate(LANES[l], site) end
	end
end
local function give_slots(owner, site, count)  -- count connections of owner to site are no more
	local held = tonumber(call('HGET', P .. 'slots:' .. owner, site) or '0')
	if count > held then count = held end
	if count <= 0 then return end
	if held == count then call('HDEL', P .. 'slots:' .. owner, site) else call('HINCRBY', P .. 'slots:' .. owner, site, -count) end
	if call('HINCRBY', P .. 'slots', site, -count) <= 0 then call('HDEL', P .. 'slots', site) end
	has_room(site)
end
