#!lua flags=no-writes
-- key_find: an API key and its project.
-- KEYS 1 the root of the installation
--@include base
--@args hash
-- both JSON; key: '' = no such key. A key that does not exist takes as many steps as one that does.
--@returns key project
local key = call('HGET', key_api_keys(), hash) or ''
local project = call('HGET', key_projects(), match(key, '"project":"(%d+)"') or '0') or ''
return { key, project }
