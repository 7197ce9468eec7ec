#!lua flags=allow-oom
-- project_delete: deletes a project that has no keys and no webhooks. Allowed in a full store.
-- KEYS 1 the root of the installation
--@include base
--@args name
-- name: its name or prj_ id
-- returns 1; 0: no such project; a text: why it cannot be deleted
-- Its entry in projects stays, with `deleted`, because sweep needs the number until retention has removed the log.
local number = call('HGET', key_project_names(), name)
if not number then return 0 end
local project = cjson.decode(call('HGET', key_projects(), number))
if project.name == 'default' then return 'the project "default" cannot be deleted' end
if call('LLEN', key_api_keys_of(number)) > 0 then return 'it still has keys; revoke them first' end
local webhooks = call('HLEN', key_endpoints(number)) + call('HLEN', key_endpoints(number .. 't'))
if webhooks > 0 then return 'it still has webhooks; delete them first' end
project.deleted = now_ms
call('HSET', key_projects(), number, cjson.encode(project))
call('HDEL', key_project_names(), project.name, project.id)
return 1
