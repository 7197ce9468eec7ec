#!lua
-- inbox: keeps a mail that the built-in sink received: newest first, capped and expiring.
-- KEYS 1 partition root
--   in:<project>:<recipient>   list of JSON {message, recipient, sender, received_ms, mail}
-- ARGV 1 project   2 recipient   3 JSON   4 at most so many   5 seconds they live
-- returns 1. (A delivery that is repeated is in it twice, as it would be in a real mailbox.)
local P, call = KEYS[1], redis.call
local key = P .. 'in:' .. ARGV[1] .. ':' .. ARGV[2]
call('LPUSH', key, ARGV[3])
call('LTRIM', key, 0, ARGV[4] - 1)
call('EXPIRE', key, ARGV[5])
call('PUBLISH', P .. 'inbox', ARGV[1] .. ' ' .. ARGV[2])
return 1
