#!lua flags=allow-oom
-- cancel: ends the open recipients of messages; wins over a lease only before its dot.
-- KEYS 1 partition root   ARGV 1 retention ms, then ids
-- returns per id: recipients canceled now, recipients held back by an open dot (-1, 0: no such message)
--@include base
--@include record
--@include finish
local ids, out = {}, {}
for i = 2, #ARGV do ids[i - 1] = ARGV[i] end
local res = finish(ids, 'canceled', '')
for i = 1, #res do out[i * 2 - 1], out[i * 2] = res[i][1], res[i][2] end
flush_facts(tonumber(ARGV[1]))
return out
