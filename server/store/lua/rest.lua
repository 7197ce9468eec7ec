#!lua flags=allow-oom
-- rest: a site could not be reached. It is left alone for a while, longer with each failure in a row: take.lua.
-- KEYS 1 partition root
-- ARGV 1 site   2 first rest, ms   3 longest rest, ms   4 a random number 0-999 (the spread)   5 code of the server or 0   6 why
-- returns {until, failures in a row}. Run again, or told by others while it rests: the same answer, nothing changes.
--@include base
local FORGET = 600000                          -- so long after a rest that nobody came to end, it begins anew
local key, first, longest, spread = P .. 'rest:' .. ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local till, n = match(call('GET', key) or '0 0 ', '^(%d+) (%d+) ')
if tonumber(till) > now then return { tonumber(till), tonumber(n) } end
local ms = floor(math.min(first * 2 ^ tonumber(n), longest) * (750 + spread / 2) / 1000)
n = tonumber(n) + 1
call('SET', key, num(now + ms) .. ' ' .. n .. ' ' .. num(tonumber(ARGV[5])) .. ' ' .. string.gsub(ARGV[6], '%c', ' '), 'PX', num(ms + FORGET))
return { now + ms, n }
