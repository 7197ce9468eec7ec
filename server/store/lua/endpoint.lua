#!lua
-- endpoint: the webhook endpoints of projects.
-- KEYS 1 "pn:{g}:"
--   hook:<project>   hash: whk_ id -> JSON (server/store/projects/endpoints.h)     hooks  hash: whk_ id -> project     hooks_v  counts changes
--   hc:<id>          hash: "start" and partitions -> place in the project's log that is done with ("ms-seq"); "good" -> ms when something got through
--   hr:<id>          zset: deliveries to try again, "<tries> <message> <n>", by time      hd:<id>, hf:<id>  lists of deliveries, failed ones, JSON
--   ht               list: test deliveries asked for, "<whk_ id> <evt_ id> <project>"      htr:<evt_ id>  string, EX: what came of one
-- ARGV "put" | project | id | JSON that is there ('' = none) | new JSON | at most so many a project
--      "delete" | project | id
--      "redeliver" | project | id | "<message> <n>"
-- returns for put: 1 done, 0 another JSON is there, -1 too many; for delete and redeliver: 1 done, 0 there is none, -1 it is disabled
local P, call = KEYS[1], redis.call
local what, project, id = ARGV[1], ARGV[2], ARGV[3]
local key = P .. 'hook:' .. project
local there = call('HGET', key, id)
local function now()
	local tm = call('TIME')
	return string.format('%d', tm[1] * 1000 + math.floor(tm[2] / 1000))
end
local function is_enabled(json) return cjson.decode(json).enabled end
if what == 'delete' then
	if not there then return 0 end
	call('HDEL', key, id)
	call('HDEL', P .. 'hooks', id)
	call('DEL', P .. 'hc:' .. id, P .. 'hr:' .. id, P .. 'hd:' .. id, P .. 'hf:' .. id)
	call('INCR', P .. 'hooks_v')
	return 1
end
if what == 'redeliver' then
	if not there then return 0 end
	if not is_enabled(there) then return -1 end
	for tries = 0, 9 do call('ZREM', P .. 'hr:' .. id, tries .. ' ' .. ARGV[4]) end
	call('ZADD', P .. 'hr:' .. id, now(), '0 ' .. ARGV[4])
	call('INCR', P .. 'hooks_v')
	return 1
end
if there == ARGV[5] then return 1 end          -- run again
if (there or '') ~= ARGV[4] then return 0 end
if not there then
	if call('HLEN', key) >= tonumber(ARGV[6]) then return -1 end
	call('HSET', P .. 'hc:' .. id, 'start', now() .. '-0')
	call('HSET', P .. 'hooks', id, project)
elseif is_enabled(ARGV[5]) and not is_enabled(there) then   -- what waits has all its tries again, from now on
	local wait, due = call('ZRANGE', P .. 'hr:' .. id, 0, -1), now()
	call('DEL', P .. 'hr:' .. id)
	for i = 1, #wait do call('ZADD', P .. 'hr:' .. id, due, (string.gsub(wait[i], '^%d+', '0'))) end
end
call('HSET', key, id, ARGV[5])
call('INCR', P .. 'hooks_v')
return 1
