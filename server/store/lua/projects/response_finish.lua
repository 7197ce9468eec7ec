#!lua flags=allow-oom
-- response_finish: ends the claim of response_claim and stores the response. Allowed in a full store.
-- KEYS 1 the root of the installation. status: 0 = keep nothing, so the next request with the key is a new one.
--@include base
--@args space hash fingerprint token status:digits response:bytes life_ms:digits
-- returns 1, or 0: the claim has expired, and nothing was written. Run again: the same.
local known = call('GET', key_response(space, hash))
local kept = status ~= '0' and fingerprint .. ' ' .. status .. ' ' .. response
if known == kept then return 1 end
if known ~= fingerprint .. ' 0 ' .. token then return 0 end
if kept then call('SET', key_response(space, hash), kept, 'PX', life_ms)
else call('DEL', key_response(space, hash)) end
return 1
