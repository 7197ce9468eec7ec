#!lua flags=allow-oom
-- key_revoke: removes an API key.
-- KEYS 1 the root of the installation. project: its name or id, '' = any.
--@include base
--@args id project
-- returns 1, or 0: there is no such key in the project
local hash = call('HGET', key_api_key_ids(), id)
local json = hash and call('HGET', key_api_keys(), hash)
if not json then return 0 end
local number = cjson.decode(json).project
if project ~= '' and call('HGET', key_project_names(), project) ~= number then return 0 end
call('HDEL', key_api_key_ids(), id)
call('LREM', key_api_keys_of(number), 0, id)
return call('HDEL', key_api_keys(), hash)
