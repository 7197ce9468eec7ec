#!lua flags=allow-oom
-- project_set: changes settings of a project. Allowed in a full store.
-- KEYS 1 the root of the installation
--@include base
--@args name
--@item setting value:number
-- name: its name or prj_ id. value: 0 = the default.
-- json: the project; '': no such project. number: the name of its live mode.
--@returns json number
local number = call('HGET', key_project_names(), name)
if not number then return { '', '' } end
local project = cjson.decode(call('HGET', key_projects(), number))
for i = 1, item_count do
	local value = item_value(i)
	project[item_setting(i)] = value ~= 0 and value or nil
end
local json = cjson.encode(project)
call('HSET', key_projects(), number, json)
return { json, number }
