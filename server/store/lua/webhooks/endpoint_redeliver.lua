#!lua
-- endpoint_redeliver: queues an event for another delivery to an endpoint.
-- KEYS 1 the root of the installation. event: "message number".
--@include base
--@args project id event
-- returns 1, 0: no such endpoint, -1: it is disabled
local json = call('HGET', key_endpoints(project), id)
if not json then return 0 end
if not cjson.decode(json).enabled then return -1 end
for tries = 0, 9 do call('ZREM', key_endpoint_retries(id), tries .. ' ' .. event) end
call('ZADD', key_endpoint_retries(id), now_digits, '0 ' .. event)
call('INCR', key_endpoints_version())
return 1
