-- turns.lua: the order in which ready jobs are served. In a lane the projects take turns, and below a project its
-- sites. At a site the projects take turns, and below a project its destinations there. See keys.txt.
-- Turns of projects have scores: the project with the least is next, and each turn adds 1 / weight to its score. A
-- project that has work again starts one turn after the project that is next: it has no credit from its idle time.
local new_sites = {}                           -- {lane, project, site}: there is new work, or room for a connection
local left_sites = {}                          -- lane -> project -> true: it has lost a site

-- A number as a score. tostring() would round it.
local function score_text(number) return format('%.17g', number) end

-- Returns the place in the list of the entry with the least score; nil: the list is empty.
local function find_least(list)
	local first
	for i = 1, #list do if not first or list[i].score < list[first].score then first = i end end
	return first
end

-- changes: member -> its new score. A member that was removed is not added again.
local function write_scores(key, changes)
	local list, n = {}, 0
	for member, score in pairs(changes) do
		list[n + 1], list[n + 2] = score_text(score), member
		n = n + 2
	end
	call_in_pieces('ZADD', key, list, 'XX')
end

-- Gives a site a turn in the lane, among the sites of the project, unless it is full.
local function add_site(lane, project, site) new_sites[#new_sites + 1] = { lane, project, site } end

local function remove_site(lane, project, site)
	call('ZREM', key_queue_sites(lane, project), site)
	left_sites[lane] = left_sites[lane] or {}
	left_sites[lane][project] = true
end

-- Gives the destination a turn at the site, and the project if it has no turn there.
local function add_destination(lane, project, site, destination)
	if call('RPUSH', key_queue_destinations(lane, project, site), destination) > 1 then return end
	local turns = key_queue_projects(lane, site)
	local next_turn = call('ZRANGE', turns, '0', '0', 'WITHSCORES')[2]
	call('ZADD', turns, next_turn and score_text(next_turn + 1) or '0', project)
	add_site(lane, project, site)
end

-- The project has no more destinations at the site.
local function remove_project(lane, project, site)
	call('ZREM', key_queue_projects(lane, site), project)
	remove_site(lane, project, site)
end

-- Returns lane -> project -> {turn, site, turn, site ...}: the new sites that are not full.
local function group_new_sites(turn)
	local names, groups = {}, {}
	for i = 1, #new_sites do names[i] = new_sites[i][3] end
	local is_full = read_in_pieces('SMISMEMBER', key_full(), names)
	for i = 1, #new_sites do
		local lane, project, site = unpack(new_sites[i])
		if is_full[i] == 0 then
			groups[lane] = groups[lane] or {}
			local list = groups[lane][project] or {}
			groups[lane][project] = list
			list[#list + 1], list[#list + 2] = turn, site
		end
	end
	return groups
end

local function write_new_sites()
	local turns = call('HMGET', key_turns(), 'site', 'otp', 'normal', 'bulk')
	local next_turn = { otp = turns[2], normal = turns[3], bulk = turns[4] }
	for lane, projects in pairs(group_new_sites(turns[1] or '0')) do
		local score, list = score_text((next_turn[lane] or 0) + 1), {}
		for project, sites in pairs(projects) do
			call_in_pieces('ZADD', key_queue_sites(lane, project), sites, 'NX')
			list[#list + 1], list[#list + 2] = score, project
		end
		call_in_pieces('ZADD', key_lane_projects(lane), list, 'NX')
	end
end

-- Writes the turns of sites and projects in the lanes.
local function write_turns()
	if #new_sites > 0 then write_new_sites() end
	for lane, projects in pairs(left_sites) do
		for project in pairs(projects) do
			if call('EXISTS', key_queue_sites(lane, project)) == 0 then
				call('ZREM', key_lane_projects(lane), project)
			end
		end
	end
	new_sites, left_sites = {}, {}
end
