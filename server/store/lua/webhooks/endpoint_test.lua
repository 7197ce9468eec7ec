#!lua
-- endpoint_test: asks the delivering process for a test delivery to an endpoint.
-- KEYS 1 the root of the installation. most: tests that may wait for this endpoint. most_of_all: for all endpoints.
--@include base
--@args id event project most:number most_of_all:number
-- returns 1, -1: too many wait. Run again before the test is taken off the list: the same reply.
local EXPIRE_MS = 60000                        -- nobody waits longer for the result
local test, waiting, own = id .. ' ' .. event .. ' ' .. project, call('LRANGE', key_endpoint_tests(), 0, -1), 0
for i = 1, #waiting do
	if waiting[i] == test then return 1 end
	if sub(waiting[i], 1, #id + 1) == id .. ' ' then own = own + 1 end
end
if own >= most or #waiting >= most_of_all then return -1 end
call('RPUSH', key_endpoint_tests(), test)
call('PEXPIRE', key_endpoint_tests(), EXPIRE_MS)
return 1
