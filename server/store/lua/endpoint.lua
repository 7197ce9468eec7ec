#!lua
-- endpoint: the webhook endpoints of projects.
-- KEYS 1 "pn:{g}:"
--   hook:<project>   hash: whk_ id -> JSON (server/store/endpoints.h)     hooks  hash: whk_ id -> project     hooks_v  counts changes
--   hc:<id>          hash: "start" and partitions -> place in the project's log that is done with ("ms-seq")
--   hr:<id>          zset: deliveries to try again, "<tries> <message> <n>", by time      hd:<id>, hf:<id>  lists of deliveries, failed ones, JSON
--   ht               list: test deliveries asked for, "<whk_ id> <evt_ id> <project>"      htr:<evt_ id>  string, EX: what came of one
-- ARGV "put" | project | id | JSON that is there ('' = none) | new JSON | at most so many a project
--      "delete" | project | id
-- returns for put: 1 done, 0 another JSON is there, -1 too many; for delete: 1 done, 0 there is none
local P, call = KEYS[1], redis.call
local what, project, id = ARGV[1], ARGV[2], ARGV[3]
local key = P .. 'hook:' .. project
local there = call('HGET', key, id)
if what == 'delete' then
	if not there then return 0 end
	call('HDEL', key, id)
	call('HDEL', P .. 'hooks', id)
	call('DEL', P .. 'hc:' .. id, P .. 'hr:' .. id, P .. 'hd:' .. id, P .. 'hf:' .. id)
	call('INCR', P .. 'hooks_v')
	return 1
end
if there == ARGV[5] then return 1 end          -- run again
if (there or '') ~= ARGV[4] then return 0 end
if not there then
	if call('HLEN', key) >= tonumber(ARGV[6]) then return -1 end
	local tm = call('TIME')
	call('HSET', P .. 'hc:' .. id, 'start', string.format('%d-0', tm[1] * 1000 + math.floor(tm[2] / 1000)))
	call('HSET', P .. 'hooks', id, project)
end
call('HSET', key, id, ARGV[5])
call('INCR', P .. 'hooks_v')
return 1
