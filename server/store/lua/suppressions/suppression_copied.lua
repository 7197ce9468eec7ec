#!lua flags=allow-oom
-- suppression_copied: all other partitions have these entries. Removes them from the new ones, unless they changed.
-- KEYS 1 partition root
--@include base
--@item tenant address json
-- returns 1. Run again: the same.
for i = 1, item_count do
	local tenant, address = item_tenant(i), item_address(i)
	if call('HGET', key_suppressed(tenant), address) == item_json(i) then
		call('ZREM', key_suppressed_new(), tenant .. ' ' .. address)
	end
end
return 1
