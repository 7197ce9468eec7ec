#!lua
-- key: makes or revokes an API key.
-- KEYS 1 "pn:{g}:"
-- ARGV "make" | project (name or id) | key id | hex SHA-256 | name | mode | scopes   or   "revoke" | key id
-- returns the key as JSON (the one that exists when the hash is known), '' when there is no such project; for revoke 1 or 0
local P, call = KEYS[1], redis.call
if ARGV[1] == 'revoke' then
	local hash = call('HGET', P .. 'key_ids', ARGV[2])
	if not hash then return 0 end
	call('HDEL', P .. 'key_ids', ARGV[2])
	return call('HDEL', P .. 'keys', hash)
end
local known = call('HGET', P .. 'keys', ARGV[4])
if known then return known end
local number = call('HGET', P .. 'project_names', ARGV[2])
if not number then return '' end
local project = cjson.decode(call('HGET', P .. 'projects', number))
local json = cjson.encode({ id = ARGV[3], project = number, project_id = project.id, name = ARGV[5], mode = ARGV[6], scopes = tonumber(ARGV[7]) })
call('HSET', P .. 'keys', ARGV[4], json)
call('HSET', P .. 'key_ids', ARGV[3], ARGV[4])
return json
