#!lua flags=allow-oom
-- sweep: removes messages whose retention is over, and log entries older than that.
-- KEYS 1 partition root
--@include base change
--@args most:number retention_ms:number
--@item project
--@returns removed hours_left
local MAX_HOURS = 1000                         -- empty lists that one call may skip

-- All messages of the hour are removed.
local function forget_kept(done_hour)
	local kept = call('HGETALL', key_kept(done_hour))
	for i = 1, #kept, 2 do
		local used = usage_of(kept[i])
		used.bytes = used.bytes - kept[i + 1]
	end
	if #kept > 0 then call('DEL', key_kept(done_hour)) end
end

local hour = floor(now_ms / HOUR_MS)
local cursor = tonumber(call('GET', key_retention_cursor()) or hour)
local ids, keys, passed = {}, {}, 0
while #ids == 0 and cursor < hour and passed < MAX_HOURS do
	ids = call('LRANGE', key_retention(cursor), 0, most - 1)
	if #ids == 0 then
		forget_kept(cursor)
		cursor, passed = cursor + 1, passed + 1
	end
end
for i = 1, #ids do keys[i * 2 - 1], keys[i * 2] = key_message(ids[i]), key_transcripts(ids[i]) end
call_in_pieces('DEL', nil, keys)
if #ids > 0 then call('LTRIM', key_retention(cursor), #ids, -1) end
cursor = min(cursor, hour)                     -- Redis's clock may have been set back
call('SET', key_retention_cursor(), cursor)
write_usage()

local before_ms = now_ms - retention_ms
for i = 1, item_count do
	local project = item_project(i)
	local last_gone = call('XREVRANGE', key_log(project), digits(before_ms - 1), '-', 'COUNT', 1)[1]
	if last_gone then
		call('XTRIM', key_log(project), 'MINID', digits(before_ms))
		call('HSET', key_log_cut(), project, last_gone[1])
	end
end
local removed, hours_left = #ids, hour - cursor
return { removed, hours_left }
