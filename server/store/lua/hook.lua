#!lua flags=allow-oom
-- hook: what the active hooks process has done, in one step; also the lease that makes it the active one.
-- KEYS 1 "pn:{g}:" (lua/endpoint.lua has the keys)
--   hooks_lease  string, PX: the active process
-- ARGV 1 process   2 lease ms, 0 = give it up   then words:
--      "cursor" | id | partition | place     "again" | id | due ms | member      "over" | id | member | ms: unless it was asked for anew since then
--      "told" | id | member | ms: it was delivered, and what waits of this event is over too
--      "soon" | id | ms (retries that were tried up to 3 times are due by then, 20 ms apart; one that fails for a reason of its own keeps
--      its later tries)
--      "log" | id | JSON | 1 if it failed    "tested" | id | evt_ id | JSON      "disable" | id | reason
--      "lost" | id | from ms | until ms: events of that time; its owner sees the whole stretch until the endpoint is enabled anew
-- returns 1, or 0 when another process has the lease: nothing was done. Words for an endpoint that is gone are passed over.
-- Run again: cursors and retries are the same, deliveries may be in the lists twice.
local P, call = KEYS[1], redis.call
local KEEP = 99                                -- deliveries in a list, less one
local owner = call('GET', P .. 'hooks_lease')
if owner and owner ~= ARGV[1] then return 0 end
if ARGV[2] == '0' then call('DEL', P .. 'hooks_lease')
else call('SET', P .. 'hooks_lease', ARGV[1], 'PX', ARGV[2]) end
local tm = call('TIME')
local now = string.format('%d', tm[1] * 1000 + math.floor(tm[2] / 1000))
local WORDS = { cursor = 4, again = 4, over = 4, told = 4, soon = 3, log = 4, tested = 4, disable = 3, lost = 4 }
local function over(key, member, ms)
	local due = call('ZSCORE', key, member)
	if due and tonumber(due) <= tonumber(ms) then call('ZREM', key, member) end
end
local i = 3
while ARGV[i] do
	local what, id, a, b = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
	local project = call('HGET', P .. 'hooks', id)
	if not project then                        -- deleted meanwhile
	elseif what == 'cursor' then call('HSET', P .. 'hc:' .. id, a, b)
	elseif what == 'again' then call('ZADD', P .. 'hr:' .. id, a, b)
	elseif what == 'over' then over(P .. 'hr:' .. id, a, b)
	elseif what == 'told' then
		local event = string.match(a, ' .*')
		over(P .. 'hr:' .. id, '0' .. event, b)
		for k = 1, 9 do call('ZREM', P .. 'hr:' .. id, k .. event) end
	elseif what == 'soon' then
		local wait = call('ZRANGE', P .. 'hr:' .. id, '(' .. a, '+inf', 'BYSCORE', 'LIMIT', 0, 1000)
		for k = 1, #wait do
			if tonumber(string.match(wait[k], '^%d+')) <= 3 then
				call('ZADD', P .. 'hr:' .. id, 'LT', string.format('%d', tonumber(a) + k * 20), wait[k])
			end
		end
	elseif what == 'log' then
		call('LPUSH', P .. 'hd:' .. id, a)
		call('LTRIM', P .. 'hd:' .. id, 0, KEEP)
		if b == '1' then
			call('LPUSH', P .. 'hf:' .. id, a)
			call('LTRIM', P .. 'hf:' .. id, 0, KEEP)
		else call('HSET', P .. 'hc:' .. id, 'good', now) end
	elseif what == 'tested' then call('SET', P .. 'htr:' .. a, b, 'EX', 60)
	elseif what == 'disable' then
		local e = cjson.decode(call('HGET', P .. 'hook:' .. project, id))
		if e.enabled then
			e.enabled, e.disabled_reason = false, a
			call('HSET', P .. 'hook:' .. project, id, cjson.encode(e))
			call('INCR', P .. 'hooks_v')
		end
	elseif what == 'lost' then
		local e = cjson.decode(call('HGET', P .. 'hook:' .. project, id))
		local was = (e.lost_until or 0) > 0
		e.lost_from = was and math.min(e.lost_from, tonumber(a)) or tonumber(a)
		e.lost_until = math.max(e.lost_until or 0, tonumber(b))
		call('HSET', P .. 'hook:' .. project, id, cjson.encode(e))
	end
	i = i + (WORDS[what] or 1)
end
return 1
