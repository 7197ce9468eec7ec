#!lua flags=allow-oom
-- key_make: makes an API key. Allowed in a full store, because a leaked key must be replaced at once.
-- KEYS 1 the root of the installation. project: its name or id. most: how many keys a project may have.
--@include base
--@args project id hash name mode scopes:number most:number
-- returns the key's JSON (of the existing key if the hash is known); '': no such project; 0: it has too many
local known = call('HGET', key_api_keys(), hash)
if known then return known end
local number = call('HGET', key_project_names(), project)
if not number then return '' end
if call('LLEN', key_api_keys_of(number)) >= most then return 0 end
local project_id = cjson.decode(call('HGET', key_projects(), number)).id
local json = cjson.encode({ id = id, project = number, project_id = project_id, name = name, mode = mode,
	scopes = scopes, created = now_ms })
call('HSET', key_api_keys(), hash, json)
call('HSET', key_api_key_ids(), id, hash)
call('RPUSH', key_api_keys_of(number), id)
return json
