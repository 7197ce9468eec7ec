-- line.lua: the projects of a lane that may get new connections, in the order of their turns. A line is read page by
-- page. Its entries: {project, score, sites, passed, place}. sites: the page of its sites that is read; place: the last
-- one that was looked at; passed: all that were looked at and keep their place.
local PAGE = 32
local looks_in_vain = 1000                     -- sites and projects that take may still look at without result
local line_changes = {}                        -- field of key_turns -> its new value
local last_turns                               -- field of key_turns -> number

local function last_turn(field)
	if not last_turns then
		local got = call('HMGET', key_turns(), 'site', 'otp', 'normal', 'bulk')
		last_turns = { site = tonumber(got[1] or '0'), otp = tonumber(got[2] or '0'),
			normal = tonumber(got[3] or '0'), bulk = tonumber(got[4] or '0') }
	end
	return last_turns[field]
end

local function set_last_turn(field, number)
	last_turns[field] = number
	line_changes[field] = score_text(number)
end

-- Moves sites of a project to the end of its turns in the lane.
local function move_back(lane, project, sites)
	set_last_turn('site', last_turn('site') + 1)
	local list = {}
	for i = 1, #sites do list[i * 2 - 1], list[i * 2] = line_changes.site, sites[i] end
	call_in_pieces('ZADD', key_queue_sites(lane, project), list, 'XX')
end

local function new_line(lane) return { lane = lane, read = 0, last_score = -1, changes = {} } end

local function read_projects(line)
	local first = line.read
	local page = call('ZRANGE', key_lane_projects(line.lane), digits(first), digits(first + PAGE - 1), 'WITHSCORES')
	for i = 1, #page, 2 do
		local project, score = page[i], tonumber(page[i + 1])
		if is_capped[project] then looks_in_vain = looks_in_vain - 1
		else line[#line + 1] = { project = project, score = score, sites = {}, passed = {}, place = 0 } end
		line.last_score = score
	end
	line.read = first + PAGE
	line.is_read = #page < PAGE * 2
end

-- Returns the place in the line of the project that is next; nil: none.
local function find_next(line)
	while true do
		local first = find_least(line)
		if line.is_read or first and line[first].score <= line.last_score then return first end
		read_projects(line)
	end
end

-- Returns the next site where the project waits; nil: none.
local function next_site(lane, entry)
	if entry.place >= #entry.sites then
		if entry.place > 0 and #entry.sites < PAGE then return nil end
		local first = #entry.passed
		local last = first + PAGE - 1
		entry.sites = call('ZRANGE', key_queue_sites(lane, entry.project), digits(first), digits(last))
		entry.place = 0
	end
	entry.place = entry.place + 1
	return entry.sites[entry.place]
end

-- The project had a turn in the lane.
local function count_turn(line, entry)
	local start = max(entry.score, last_turn(line.lane))
	set_last_turn(line.lane, start)
	entry.score = start + turn_length(entry.project)
	line.changes[entry.project] = entry.score
end

local function write_last_turns()
	for field, value in pairs(line_changes) do call('HSET', key_turns(), field, value) end
end
