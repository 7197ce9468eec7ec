#!lua
-- suppression_put: puts an address on a suppression list.
-- KEYS 1 partition root. address: lower case. json: {reason, at, message}.
--@include base suppression
--@args tenant address json
-- returns 1: it is on the list, unless a later removal is known. Run again: the same.
suppress_address(tenant, address, json)
return 1
