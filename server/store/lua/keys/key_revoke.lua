#!lua flags=allow-oom
-- key_revoke: removes an API key.
-- KEYS 1 the root of the installation. project: its name or id, '' = any. mode: '' = any.
--@include base
--@args id project mode
-- returns 1, or 0: the project has no such key in this mode
local hash = call('HGET', key_api_key_ids(), id)
local json = hash and call('HGET', key_api_keys(), hash)
if not json then return 0 end
local key = cjson.decode(json)
local number = key.project
if project ~= '' and call('HGET', key_project_names(), project) ~= number then return 0 end
if mode ~= '' and key.mode ~= mode then return 0 end
call('HDEL', key_api_key_ids(), id)
call('LREM', key_api_keys_of(number), 0, id)
return call('HDEL', key_api_keys(), hash)
