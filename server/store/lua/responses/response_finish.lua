#!lua flags=allow-oom
-- response_finish: ends the claim of response_claim. Allowed in a full store.
-- KEYS 1 the root of the installation. status: 0 = nothing was made: the next request with the key is a new one.
-- 1 = something may have been made: the next request takes over the claim, with its seed. Else status and response are
-- kept for life_ms.
--@include base
--@args space hash fingerprint token status:digits response:bytes life_ms:digits
-- returns 1, or 0: another request has the claim, or it is gone, and nothing was written. Run again: the same.
local FORGET, RELEASE = '0', '1'
local key = key_response(space, hash)
local known = call('GET', key)
local kept = concat({ fingerprint, status, response }, ' ')
if known == kept then return 1 end
local first, seed, owner = match(known or '', '^(%S+) 0 %d+ (%S+) (%S+)$')
if first ~= fingerprint or owner ~= token then return 0 end
if status == FORGET then call('DEL', key)
elseif status == RELEASE then call('SET', key, concat({ fingerprint, 0, 0, seed, token }, ' '), 'KEEPTTL')
else call('SET', key, kept, 'PX', life_ms) end
return 1
