#!lua flags=allow-oom
-- partitions_add: raises the number of partitions that all processes read. New messages do not use them yet.
-- KEYS 1 the root of the installation. wanted: ready for use, by init_partition. Returns 1. Run again: the same.
--@include base
--@args wanted:number
local number = tonumber(call('HGET', key_meta(), 'partitions'))
if call('HEXISTS', key_meta(), 'growth') == 0 then call('HSET', key_meta(), 'growth', digits(number) .. ' 0') end
if wanted > number then call('HSET', key_meta(), 'partitions', digits(wanted)) end
return 1
