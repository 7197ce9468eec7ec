#!lua flags=allow-oom
-- expire: ends messages past their deadline. Walks the lists x:<minute> from x_cursor; a message with an open dot goes one minute on.
-- KEYS 1 partition root   ARGV 1 at most so many ids   2 retention ms
-- returns {ids looked at, recipients expired, minutes still to do}
--@include base
--@include record
--@include finish
local minute = floor(now / 60000)
local cursor = tonumber(call('GET', P .. 'x_cursor') or minute)
local ids, steps, n, again = {}, 0, 0, {}
while #ids == 0 and cursor <= minute and steps < 1440 do
	ids = call('LRANGE', P .. 'x:' .. cursor, 0, tonumber(ARGV[1]) - 1)
	if #ids == 0 then cursor = cursor + 1; steps = steps + 1 end
end
local res = finish(ids, 'expired', 'deadline passed')
for i = 1, #res do
	if res[i][1] > 0 then n = n + res[i][1] end
	if res[i][2] > 0 then again[#again + 1] = ids[i] end
end
chunked('RPUSH', P .. 'x:' .. (minute + 1), again, 4000)
if #ids > 0 then call('LTRIM', P .. 'x:' .. cursor, #ids, -1) end
if cursor > minute + 1 then cursor = minute + 1 end
call('SET', P .. 'x_cursor', cursor)
flush_facts(tonumber(ARGV[2]))
return { #ids, n, minute - cursor }
