#!lua flags=no-writes
-- partitions_look: the partitions of the store. Each process reads them every second.
-- KEYS 1 the root of the installation
--@include base
-- number: all that exist. growth: server/redis/partitions.h; '' = the number never changed.
--@returns now_ms number growth
local meta = call('HMGET', key_meta(), 'partitions', 'growth')
local number, growth = meta[1] or '', meta[2] or ''
return { now_ms, number, growth }
