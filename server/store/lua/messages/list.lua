#!lua flags=no-writes
-- list: messages of a project, from one of the lists by hour, newest first.
-- KEYS 1 partition root. which: the part of the list's key after the hour. hour, place: where to begin; place -1 = at
-- the end. last_hour: where to stop. mark: only entries that end in these digits (of a recipient or a tag); '' = all.
-- A place counts from the front, and lists only grow at their end, so a place stays valid.
--@include base
--@args project which hour:number place:number last_hour:number most:number mark
-- returns {hour, place: the next page ends before it, then the row of each message}; hour < last_hour: the end
--@row head hour place
--@row message id hour place record
local STEP = 100                               -- entries read at once
local MAX_LOOKS = 5000                         -- looks at hours and entries in a call
local found, looks = {}, 0

-- Reads one hour's list from `place` to its front.
local function walk_hour(key)
	while place > 0 and #found < most and looks < MAX_LOOKS do
		local entries = call('LRANGE', key, max(place - STEP, 0), place - 1)
		for i = #entries, 1, -1 do
			if #found == most then break end
			local entry = entries[i]
			place, looks = place - 1, looks + 1
			if mark == '' then found[#found + 1] = { entry, hour, place }
			elseif sub(entry, -4) == mark then found[#found + 1] = { sub(entry, 1, -5), hour, place } end
		end
	end
end

while hour >= last_hour and #found < most and looks < MAX_LOOKS do
	local key = key_list(project, digits(hour)) .. which
	local length = call('LLEN', key)
	if place < 0 or place > length then place = length end
	looks = looks + 1
	walk_hour(key)
	if place == 0 then hour, place = hour - 1, -1 end
end
local reply, keys = { hour, place }, {}
for i = 1, #found do keys[i] = key_message(found[i][1]) end
local records = #keys > 0 and call('MGET', unpack(keys)) or {}
for i = 1, #found do
	local n, entry = #reply, found[i]
	reply[n + 1], reply[n + 2], reply[n + 3], reply[n + 4] = entry[1], entry[2], entry[3], records[i]
end
return reply
