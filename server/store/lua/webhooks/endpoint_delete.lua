#!lua
-- endpoint_delete: removes a webhook endpoint, its retries and its lists of deliveries.
-- KEYS 1 the root of the installation
--@include base
--@args project id
-- returns 1, or 0: no such endpoint
if call('HDEL', key_endpoints(project), id) == 0 then return 0 end
call('HDEL', key_endpoint_projects(), id)
call('DEL', key_endpoint_cursors(id), key_endpoint_retries(id), key_deliveries(id), key_deliveries_failed(id))
call('INCR', key_endpoints_version())
return 1
