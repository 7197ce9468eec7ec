#!lua flags=no-writes
-- key_list: the API keys of a project.
-- KEYS 1 the root of the installation. project: its name or id.
--@include base
--@args project
-- returns their JSON, newest first
local number, list = call('HGET', key_project_names(), project), {}
local ids = number and call('LRANGE', key_api_keys_of(number), 0, -1) or {}
for i = #ids, 1, -1 do
	local hash = call('HGET', key_api_key_ids(), ids[i])
	list[#list + 1] = hash and call('HGET', key_api_keys(), hash) or nil
end
return list
