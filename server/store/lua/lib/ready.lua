-- ready.lua: adds jobs to the lists of ready jobs and gives them turns. Collects both; write_ready writes them.
local ready_lists = {}                         -- key of a list of ready jobs -> its refs of this call
local ready_order = {}                         -- those lists, in the order of their first ref
local OTP_LIMIT = '1000'                       -- until init_partition has stored the setting
local otp_room = {}                            -- tenant -> jobs that lane otp still takes from it in this call
local otp_added = {}                           -- tenant -> jobs added to lane otp
local otp_late = 0                             -- jobs of lane otp that queue in lane normal

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

-- True if lane otp takes one more job of the tenant. The others of a tenant with too many queue in lane normal.
local function has_otp_room(project)
	local room = otp_room[project]
	if not room then
		local most = call('GET', key_otp_limit()) or OTP_LIMIT
		room = most - (call('HGET', key_otp_waiting(), project) or 0)
	end
	otp_room[project] = room - 1
	if room <= 0 then return false end
	otp_added[project] = (otp_added[project] or 0) + 1
	return true
end

-- lane: of the message.
local function make_ready(lane, project, destination, ref)
	if lane == 'otp' and not has_otp_room(project) then
		lane, otp_late = 'normal', otp_late + 1
	end
	local key = key_queue(lane, project, destination)
	local list = ready_lists[key]
	if not list then
		list = { key = key, lane = lane, project = project, destination = destination }
		ready_lists[key] = list
		ready_order[#ready_order + 1] = list
	end
	list[#list + 1] = ref
end

-- Wakes relays that got fewer jobs than they wanted.
local function wake()
	if call('DEL', key_hungry()) == 1 then call('SPUBLISH', key_wake(), '') end
end

-- Pushes one list. Returns true if its destination needs a turn, because the list was empty.
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

-- Counts the jobs that were added to the lanes.
local function count_ready(counts)
	for lane, count in pairs(counts) do call('HINCRBY', key_ready(), lane, count) end
	for project, count in pairs(otp_added) do call('HINCRBY', key_otp_waiting(), project, count) end
	if otp_late > 0 then call('INCRBY', key_otp_late(), otp_late) end
end

-- command: RPUSH puts the job after the waiting jobs, LPUSH before them.
local function write_ready(command)
	local fresh, destinations, counts = {}, {}, {}
	for i = 1, #ready_order do
		local list = ready_order[i]
		counts[list.lane] = (counts[list.lane] or 0) + #list
		if push_list(list, command) then
			fresh[#fresh + 1] = list
			destinations[#destinations + 1] = list.destination
		end
	end
	count_ready(counts)
	if #fresh > 0 then
		local sites = sites_of(destinations)
		for i = 1, #fresh do
			local list = fresh[i]
			add_destination(list.lane, list.project, sites[list.destination], list.destination)
		end
	end
	local has_news = #ready_order + #new_sites > 0
	write_turns()
	if has_news then wake() end
end
