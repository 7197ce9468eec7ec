#!lua
-- endpoint_put: makes or changes a webhook endpoint.
-- KEYS 1 the root of the installation. before: the JSON that must be stored now, '' = none. most: endpoints that a
-- project may have.
--@include base
--@args project id before after most:number
-- returns 1, 0: another JSON is stored, -1: the project has too many, -2: the project was deleted, or never existed.
-- Run again: the same reply.
local known = call('HGET', key_endpoints(project), id)
if known == after then return 1 end
if (known or '') ~= before then return 0 end

-- project: a tenant, its number with or without `t`. A process may know a key for a second after it was revoked.
local function project_exists()
	local json = call('HGET', key_projects(), (gsub(project, 't$', '')))
	return json and not cjson.decode(json).deleted
end

local function is_enabled(json) return cjson.decode(json).enabled end

if not known then
	if not project_exists() then return -2 end
	if call('HLEN', key_endpoints(project)) >= most then return -1 end
	call('HSET', key_endpoint_cursors(id), 'start', now_digits .. '-0')
	call('HSET', key_endpoint_projects(), id, project)
elseif is_enabled(after) and not is_enabled(known) then    -- waiting deliveries are due now, with all their tries
	local waiting = call('ZRANGE', key_endpoint_retries(id), 0, -1)
	call('DEL', key_endpoint_retries(id))
	for i = 1, #waiting do
		local as_untried = gsub(waiting[i], '^%d+', '0')
		call('ZADD', key_endpoint_retries(id), now_digits, as_untried)
	end
end
call('HSET', key_endpoints(project), id, after)
call('INCR', key_endpoints_version())
return 1
