#!lua flags=allow-oom
-- dot: the fence just before the final dot; also the plain renewal of leases, and the owner's sign of life.
-- KEYS 1 partition root
-- ARGV 1 owner   2 lease ms from now   3 kind: 1 = dot, 0 = renewal   4 ms until an unheard owner is taken for dead, then ref, epoch per job
-- returns {when the leases run out, then per job 1 = yours, 0 = lost: close without the dot}. Run again: the same answer.
--@include base
local owner, till, kind = ARGV[1], num(now + tonumber(ARGV[2])), ARGV[3]
local refs, out = {}, { tonumber(till) }
call('ZADD', P .. 'owners', num(now + tonumber(ARGV[4])), owner)
for i = 5, #ARGV, 2 do refs[#refs + 1] = ARGV[i] end
local got, marks, ends = many('HMGET', P .. 'lease', refs), {}, {}
for i = 1, #refs do
	local epoch = ARGV[4 + i * 2]
	local l = got[i]
	if l == epoch .. ' 0 ' .. owner or l == epoch .. ' 1 ' .. owner then
		out[i + 1] = 1
		if kind == '1' then marks[#marks + 1] = refs[i]; marks[#marks + 1] = epoch .. ' 1 ' .. owner end
		ends[#ends + 1] = till
		ends[#ends + 1] = refs[i]
	else out[i + 1] = 0 end
end
chunked('HSET', P .. 'lease', marks, 4000)
for i = 1, #ends, 4000 do call('ZADD', P .. 'lease_end', 'GT', unpack(ends, i, i + 3999 < #ends and i + 3999 or #ends)) end
return out
