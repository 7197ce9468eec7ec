#!lua flags=no-writes
-- suppression_list: a page of a suppression list, newest first.
-- KEYS 1 partition root. from: ms to begin at, or +inf. skip: number of entries of exactly that ms to skip.
--@include base
--@args tenant from skip:digits most:digits
-- returns the row of each entry
--@row entry address json
local addresses = call('ZRANGE', key_suppressed_at(tenant), from, '-inf', 'BYSCORE', 'REV', 'LIMIT', skip, most)
local entries, reply = #addresses > 0 and call('HMGET', key_suppressed(tenant), unpack(addresses)) or {}, {}
for i = 1, #addresses do reply[i * 2 - 1], reply[i * 2] = addresses[i], entries[i] end
return reply
