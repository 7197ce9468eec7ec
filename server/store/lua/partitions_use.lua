#!lua flags=allow-oom
-- partitions_use: new messages use this number of partitions from ahead_ms on. Call it when all processes know the
-- partitions, and when these have copies of what is in each partition.
-- KEYS 1 the root of the installation
--@include base
--@args wanted:number ahead_ms:number
-- from_ms: 0 = new messages use as many already, or soon will
--@returns from_ms
local growth, from_ms = call('HGET', key_meta(), 'growth'), 0
local last, last_ms = match(growth, '(%d+) (%d+)$')
if wanted > tonumber(last) then
	from_ms = max(now_ms + ahead_ms, tonumber(last_ms) + 1)
	call('HSET', key_meta(), 'growth', growth .. ' ' .. digits(wanted) .. ' ' .. digits(from_ms))
end
return { from_ms }
