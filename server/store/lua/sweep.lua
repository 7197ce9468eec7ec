#!lua flags=allow-oom
-- sweep: forgets messages whose retention is over, and log entries older than it.
-- KEYS 1 partition root   ARGV 1 at most so many   2 retention ms   then projects whose logs to trim
-- returns {forgotten, hours still to do}
--@include base
local hour = floor(now / 3600000)
local cursor = tonumber(call('GET', P .. 'ret_cursor') or hour)
local ids, keys, steps = {}, {}, 0
while #ids == 0 and cursor < hour and steps < 1000 do
	ids = call('LRANGE', P .. 'ret:' .. cursor, 0, tonumber(ARGV[1]) - 1)
	if #ids == 0 then cursor = cursor + 1; steps = steps + 1 end
end
for i = 1, #ids do keys[i * 2 - 1], keys[i * 2] = P .. 'm:' .. ids[i], P .. 't:' .. ids[i] end
chunked('DEL', nil, keys, 4000)
if #ids > 0 then call('LTRIM', P .. 'ret:' .. cursor, #ids, -1) end
if cursor > hour then cursor = hour end        -- the clock went back
call('SET', P .. 'ret_cursor', cursor)
local before = now - tonumber(ARGV[2])
for i = 3, #ARGV do
	local key = P .. 'ev:' .. ARGV[i]
	local last = call('XREVRANGE', key, num(before - 1), '-', 'COUNT', 1)[1]
	if last then
		call('XTRIM', key, 'MINID', num(before))
		call('HSET', P .. 'cut', ARGV[i], last[1])
	end
end
return { #ids, hour - cursor }
