#!lua flags=no-writes
-- suppression_look: one entry of a suppression list.
-- KEYS 1 partition root. address: lower case.
--@include base suppression
--@args tenant address
-- json: '' = not on the list. removed_ms: when the address was last removed, 0 = not lately. entries: of the list.
--@returns now_ms json removed_ms entries
local json, removed_ms = call('HGET', key_suppressed(tenant), address) or '', removed_at(tenant, address)
local entries = call('HLEN', key_suppressed(tenant))
return { now_ms, json, removed_ms, entries }
