#!lua flags=allow-oom
-- response_claim: claims an Idempotency-Key for a request that will create something. Allowed in a full store.
-- KEYS 1 the root of the installation. space: a tenant, or "root". token: of this request. seed: from which the request
-- makes ids, if it is the first with the key. lease_ms: how long it may work; after that another request may take over
-- the claim, with the seed of the first. life_ms: of the claim.
--@include base
--@args space hash fingerprint token seed lease_ms:number life_ms:digits
--@returns outcome status response
-- Run again: the same.
local CLAIMED = 1  --@status  response is the seed of the first request
local REPLAYED = 2 --@status  status and response are those of the first request
local CONFLICT = 3 --@status  the same key with another fingerprint
local IN_HAND = 4  --@status  another request with the same key and fingerprint is not finished
local key = key_response(space, hash)
local known = call('GET', key)

-- The claim of this request from now on, with the seed of the first one.
local function claim_of(first_seed)
	return concat({ fingerprint, 0, digits(now_ms + lease_ms), first_seed, token }, ' ')
end

local outcome, status, response = CLAIMED, 0, seed
if known then
	local first, first_status, rest = match(known, '^(%S+) (%d+) (.*)$')
	local lease_end, first_seed, owner = match(rest, '^(%d+) (%S+) (%S+)$')
	if first ~= fingerprint then outcome, response = CONFLICT, ''
	elseif first_status ~= '0' then outcome, status, response = REPLAYED, tonumber(first_status), rest
	elseif owner ~= token and tonumber(lease_end) > now_ms then outcome, response = IN_HAND, ''
	else
		response = first_seed
		if owner ~= token then call('SET', key, claim_of(first_seed), 'KEEPTTL') end
	end
else
	call('SET', key, claim_of(seed), 'PX', life_ms)
end
return { outcome, status, response }
