#!lua flags=no-writes
-- key_list: the API keys of a project.
-- KEYS 1 the root of the installation. project: its name or id. mode: '' = any.
--@include base
--@args project mode
-- returns their JSON, newest first; '': no such project
local number, list = call('HGET', key_project_names(), project), {}
if not number then return '' end
local ids = call('LRANGE', key_api_keys_of(number), 0, -1)
for i = #ids, 1, -1 do
	local hash = call('HGET', key_api_key_ids(), ids[i])
	local json = hash and call('HGET', key_api_keys(), hash)
	if json and (mode == '' or cjson.decode(json).mode == mode) then list[#list + 1] = json end
end
return list
