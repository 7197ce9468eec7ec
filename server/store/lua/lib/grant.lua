-- grant.lua: grants slots, the right to open connections, up to the limit of each site.
local granted = {}                             -- rows: site, connections, project

local function add_granted(site, count, project)
	local n = #granted
	granted[n + 1], granted[n + 2], granted[n + 3] = site, count, project
end

local function slots_used(site) return tonumber(call('HGET', key_slots(), site) or '0') end

-- limit: maximum number of connections to one site. A full site gets no new turns until a slot is returned. take
-- removes the turns that it still has.
local function grant(owner, site, count, limit)
	call('HINCRBY', key_slots_of(owner), site, count)
	if call('HINCRBY', key_slots(), site, count) >= limit then call('SADD', key_full(), site) end
end
