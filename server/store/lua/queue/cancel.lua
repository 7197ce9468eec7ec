#!lua flags=allow-oom
-- cancel: ends the open recipients of messages. Jobs at their final dot continue.
-- KEYS 1 partition root
--@include base record change finish
--@args retention_ms:number
--@item id
-- returns the row of each id. canceled -1: no such message. at_dot: recipients that stay open because of a dot.
--@row message canceled at_dot
local ids, reply = {}, {}
for i = 1, item_count do ids[i] = item_id(i) end
local results = finish(ids, 'canceled', '')
for i = 1, #results do reply[i * 2 - 1], reply[i * 2] = results[i][1], results[i][2] end
write_changes(retention_ms)
return reply
