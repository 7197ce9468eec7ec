#!lua
-- project_make: makes a project.
-- KEYS 1 the root of the installation
--@include base
--@args id name
-- returns its JSON; '': another project has the name. Run again: the same reply.
local known = call('HMGET', key_project_names(), id, name)
if known[1] then return call('HGET', key_projects(), known[1]) end
if known[2] then return '' end
local number = call('HLEN', key_projects()) + 1
local json = cjson.encode({ id = id, name = name, created = now_ms })
call('HSET', key_projects(), number, json)
call('HSET', key_project_names(), id, number, name, number)
return json
