-- ready.lua: adds jobs to the lists of ready jobs and gives their sites a turn. Collects both; write_ready writes them.
local ready_lists = {}                         -- key of a list of ready jobs -> its refs of this call
local ready_order = {}                         -- those lists, in the order of their first ref
local new_sites = {}                           -- {lane, site}: the site has new work, or room for a connection

-- destination -> site
local function sites_of(destinations)
	local keys, asked, sites = {}, {}, {}
	for i = 1, #destinations do
		local destination = destinations[i]
		if sub(destination, 1, 5) == 'sink/' then
			sites[destination] = 'sink'
		else
			keys[#keys + 1] = key_site(destination)
			asked[#asked + 1] = destination
		end
	end
	local got = read_in_pieces('MGET', nil, keys)
	for i = 1, #asked do sites[asked[i]] = got[i] or asked[i] end
	return sites
end

local function make_ready(lane, project, destination, ref)
	local key = key_queue(lane, project, destination)
	local list = ready_lists[key]
	if not list then
		list = { key = key, lane = lane, project = project, destination = destination }
		ready_lists[key] = list
		ready_order[#ready_order + 1] = list
	end
	list[#list + 1] = ref
end

-- A site gets a turn in the lane, unless it is full.
local function add_site(lane, site) new_sites[#new_sites + 1] = { lane, site } end

local function write_sites()
	if #new_sites == 0 then return end
	local turn = call('GET', key_turn()) or '0'
	for i = 1, #new_sites do
		local lane, site = new_sites[i][1], new_sites[i][2]
		if call('SISMEMBER', key_full(), site) == 0 then
			call('ZADD', key_queue_sites(lane), 'NX', turn, site)
		end
	end
end

-- Wakes relays that got fewer jobs than they wanted.
local function wake()
	if call('DEL', key_hungry()) == 1 then call('PUBLISH', key_wake(), '') end
end

-- Pushes one list. Returns true if its project needs a turn, because the list was empty.
local function push_list(list, command)
	local length
	if command == 'LPUSH' then                 -- the ref that is pushed last is the first in the list
		for i = 1, floor(#list / 2) do list[i], list[#list + 1 - i] = list[#list + 1 - i], list[i] end
	end
	for first = 1, #list, PIECE do
		length = call(command, list.key, unpack(list, first, min(first + PIECE - 1, #list)))
	end
	return length == #list
end

-- command: RPUSH puts the job after the waiting jobs, LPUSH before them.
local function write_ready(command)
	local fresh, destinations, total = {}, {}, 0
	for i = 1, #ready_order do
		local list = ready_order[i]
		total = total + #list
		if push_list(list, command) and
			call('RPUSH', key_queue_projects(list.lane, list.destination), list.project) == 1 then
			fresh[#fresh + 1] = list
			destinations[#destinations + 1] = list.destination
		end
	end
	if total > 0 then call('INCRBY', key_ready(), total) end
	if #fresh > 0 then
		local sites = sites_of(destinations)
		for i = 1, #fresh do
			local lane, destination = fresh[i].lane, fresh[i].destination
			local site = sites[destination]
			if call('RPUSH', key_queue_destinations(lane, site), destination) == 1 then
				add_site(lane, site)
			end
		end
	end
	write_sites()
	if #ready_order + #new_sites > 0 then wake() end
end
