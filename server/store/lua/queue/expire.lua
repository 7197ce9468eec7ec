#!lua flags=allow-oom
-- expire: ends messages past their deadline. Reads the lists by minute, from the cursor. A message with a job at its
-- dot moves to the next minute.
-- KEYS 1 partition root
--@include base record change finish
--@args most:number retention_ms:number
-- looked_at: messages. expired: recipients. minutes_left: lists that are not done yet.
--@returns looked_at expired minutes_left
local MAX_MINUTES = 1440                       -- empty lists that one call may skip
local minute = floor(now_ms / MINUTE_MS)
local cursor = tonumber(call('GET', key_deadline_cursor()) or minute)
local ids, passed, again, expired = {}, 0, {}, 0
while #ids == 0 and cursor <= minute and passed < MAX_MINUTES do
	ids = call('LRANGE', key_deadlines(cursor), 0, most - 1)
	if #ids == 0 then cursor, passed = cursor + 1, passed + 1 end
end
local results = finish(ids, 'expired', 'deadline passed')
for i = 1, #results do
	local ended_count, held_count = results[i][1], results[i][2]
	if ended_count > 0 then expired = expired + ended_count end
	if held_count > 0 then again[#again + 1] = ids[i] end
end
call_in_pieces('RPUSH', key_deadlines(minute + 1), again)
if #ids > 0 then call('LTRIM', key_deadlines(cursor), #ids, -1) end
cursor = min(cursor, minute + 1)
call('SET', key_deadline_cursor(), cursor)
write_changes(retention_ms)
local looked_at, minutes_left = #ids, minute - cursor
return { looked_at, expired, minutes_left }
