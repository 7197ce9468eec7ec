#!lua flags=allow-oom
-- slot: returns slots of an owner whose connections are closed.
-- KEYS 1 partition root. request: its number; with the same number again the script does nothing.
--@include base turns ready slots
--@args owner request:digits
--@item site connections:number
-- returns 1
-- Without the key, the owner has no connections or counts as dead.
if call('EXISTS', key_slots_of(owner)) == 0 or call('HGET', key_slots_of(owner), '#') == request then return 1 end
call('HSET', key_slots_of(owner), '#', request)
for i = 1, item_count do return_slots(owner, item_site(i), item_connections(i)) end
write_ready('LPUSH')
return 1
