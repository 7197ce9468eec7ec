#!lua flags=allow-oom
-- suppression_copy: adds entries of another partition.
-- KEYS 1 partition root
--@include base suppression
--@item tenant address json
-- returns 1: each is on its list, unless a later entry or removal is known. Run again: the same.
for i = 1, item_count do suppress_address(item_tenant(i), item_address(i), item_json(i)) end
return 1
