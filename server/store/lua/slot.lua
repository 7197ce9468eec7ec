#!lua flags=allow-oom
-- slot: gives up connections of an owner.
-- KEYS 1 partition root   ARGV 1 owner   2 request id (the last one run again does nothing)   then site, count
-- returns 1
--@include base
--@include ready
local key = P .. 'slots:' .. ARGV[1]
if call('EXISTS', key) == 0 or call('HGET', key, '#') == ARGV[2] then return 1 end   -- no key: it has none, or was taken for dead
call('HSET', key, '#', ARGV[2])
for i = 3, #ARGV, 2 do give_slots(ARGV[1], ARGV[i], tonumber(ARGV[i + 1])) end
flush_ready('LPUSH')
return 1
