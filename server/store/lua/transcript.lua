#!lua
-- transcript: keeps what was said in a failed attempt. No flags: Redis refuses it when it is out of memory, and it is not kept.
-- KEYS 1 partition root
-- ARGV 1 how many a message keeps   2 retention ms   3 id   4 "<job> <epoch> "   5 the packed text
-- returns 1, or 0: no such message. Run again: the same.
--@include base
local deadline = match(call('GETRANGE', P .. 'm:' .. ARGV[3], 0, 255), '^1 %l+ %l+ %l+ %d+ %d+ (%d+) ')
if not deadline then return 0 end
local key, name = P .. 't:' .. ARGV[3], ARGV[4]
local kept = call('LRANGE', key, 0, -1)
for i = 1, #kept do if sub(kept[i], 1, #name) == name then return 1 end end
call('RPUSH', key, name .. ARGV[5])
call('LTRIM', key, -tonumber(ARGV[1]), -1)
-- As long as the record at the longest, which ends at its deadline at the latest, and is swept by the hour.
call('PEXPIRE', key, num(math.max(tonumber(deadline) - now, 0) + tonumber(ARGV[2]) + 7200000))
return 1
