#!lua flags=allow-oom
-- response_claim: claims an Idempotency-Key for a request that will create something. Allowed in a full store.
-- KEYS 1 the root of the installation. space: a tenant, or "root". token: of this request. lease_ms: the claim's life.
--@include base
--@args space hash fingerprint token lease_ms:digits
--@returns outcome status response
-- Run again: the same.
local CLAIMED = 1  --@status
local REPLAYED = 2 --@status  status and response are those of the first request
local CONFLICT = 3 --@status  the same key with another fingerprint
local IN_HAND = 4  --@status  another request with the same key and fingerprint is not finished
local outcome, status, response = CLAIMED, 0, ''
local known = call('GET', key_response(space, hash))
if known then
	local first, first_status, rest = match(known, '^(%S+) (%d+) (.*)$')
	if first ~= fingerprint then outcome = CONFLICT
	elseif first_status ~= '0' then outcome, status, response = REPLAYED, tonumber(first_status), rest
	elseif rest ~= token then outcome = IN_HAND end
else
	call('SET', key_response(space, hash), fingerprint .. ' 0 ' .. token, 'PX', lease_ms)
end
return { outcome, status, response }
