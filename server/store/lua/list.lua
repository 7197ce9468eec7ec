#!lua flags=no-writes
-- list: messages of a project by one of the lists l:<project>:<hour>..., newest first, hour by hour.
-- KEYS 1 partition root
-- ARGV 1 project   2 which list: what follows the hour in its name   3 hour to begin in   4 place to begin before (-1: its end)   5 last hour
--      6 at most so many   7 only entries that end so: the digits of a recipient, or ''
-- returns {hour and place to go on before, then per message: id, its hour, its place, its record}; the hour is below the last one at the end.
-- Places count from the front, and lists grow at their end only: a place stays a place.
local P, call, sub = KEYS[1], redis.call, string.sub
local project, which, hour, place, last, n, digits = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[7]
local STEP, LOOKS = 100, 5000                  -- entries read at once; at most so many looks at hours and entries a call
local found, looks = {}, 0
while hour >= last and #found < n and looks < LOOKS do
	local key = P .. 'l:' .. project .. ':' .. hour .. which
	local len = call('LLEN', key)
	if place < 0 or place > len then place = len end
	looks = looks + 1
	while place > 0 and #found < n and looks < LOOKS do
		local from = place > STEP and place - STEP or 0
		local got = call('LRANGE', key, from, place - 1)
		for i = #got, 1, -1 do
			if #found == n then break end
			place, looks = place - 1, looks + 1
			if digits == '' then found[#found + 1] = { got[i], hour, place }
			elseif sub(got[i], -4) == digits then found[#found + 1] = { sub(got[i], 1, -5), hour, place } end
		end
	end
	if place == 0 then hour, place = hour - 1, -1 end
end
local out, keys = { hour, place }, {}
for i = 1, #found do keys[i] = P .. 'm:' .. found[i][1] end
local records = #keys > 0 and call('MGET', unpack(keys)) or {}
for i = 1, #found do
	out[#out + 1] = found[i][1]
	out[#out + 1] = found[i][2]
	out[#out + 1] = found[i][3]
	out[#out + 1] = records[i]
end
return out
