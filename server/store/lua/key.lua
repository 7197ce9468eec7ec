#!lua flags=allow-oom
-- key: makes, revokes and lists API keys. A full store takes them too: a key that leaked must not wait for room.
-- KEYS 1 "pn:{g}:"
--   keys  hash: SHA-256 of a key, hex -> JSON     key_ids  hash: key_ id -> SHA-256     keys_of:<project>  list: key_ ids, oldest first
-- ARGV "make" | project (name or id) | key id | hex SHA-256 | name | mode | scopes | at most so many a project
--      "revoke" | key id | project (name or id; '' = any)
--      "list" | project (name or id)
-- returns for make: the key's JSON (that of the one that exists when the hash is known), '' when there is no such project, 0 when it has too
--      many; for revoke 1 or 0; for list: JSONs, newest first
local P, call = KEYS[1], redis.call
local function project_of(name) return call('HGET', P .. 'project_names', name) end
if ARGV[1] == 'revoke' then
	local hash = call('HGET', P .. 'key_ids', ARGV[2])
	local json = hash and call('HGET', P .. 'keys', hash)
	if not json then return 0 end
	local number = cjson.decode(json).project
	if ARGV[3] ~= '' and project_of(ARGV[3]) ~= number then return 0 end
	call('HDEL', P .. 'key_ids', ARGV[2])
	call('LREM', P .. 'keys_of:' .. number, 0, ARGV[2])
	return call('HDEL', P .. 'keys', hash)
elseif ARGV[1] == 'list' then
	local number, out = project_of(ARGV[2]), {}
	local ids = number and call('LRANGE', P .. 'keys_of:' .. number, 0, -1) or {}
	for i = #ids, 1, -1 do
		local hash = call('HGET', P .. 'key_ids', ids[i])
		out[#out + 1] = hash and call('HGET', P .. 'keys', hash) or nil
	end
	return out
end
local known = call('HGET', P .. 'keys', ARGV[4])
if known then return known end
local number = project_of(ARGV[2])
if not number then return '' end
if call('LLEN', P .. 'keys_of:' .. number) >= tonumber(ARGV[8]) then return 0 end
local project, tm = cjson.decode(call('HGET', P .. 'projects', number)), call('TIME')
local json = cjson.encode({ id = ARGV[3], project = number, project_id = project.id, name = ARGV[5], mode = ARGV[6], scopes = tonumber(ARGV[7]),
	created = tm[1] * 1000 + math.floor(tm[2] / 1000) })
call('HSET', P .. 'keys', ARGV[4], json)
call('HSET', P .. 'key_ids', ARGV[3], ARGV[4])
call('RPUSH', P .. 'keys_of:' .. number, ARGV[3])
return json
