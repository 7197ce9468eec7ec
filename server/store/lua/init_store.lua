#!lua flags=allow-oom
-- init_store: writes the `meta` key of a new store, or reads it. Allowed in a full store, which can start and drain.
-- KEYS 1 the root of the installation. may_make: 0 = only read.
--@include base
--@args schema partitions:digits instance default_project may_make:flag
-- returns schema, partitions, instance, growth (server/redis/partitions.h), the time in ms, and the numbers of the
-- partitions that were made, all as text; an empty list: there is no store, and may_make is 0
if call('EXISTS', key_meta()) == 0 then
	if not may_make then return {} end
	call('HSET', key_meta(), 'schema', schema, 'partitions', partitions, 'instance', instance)
	call('HSET', key_projects(), '1', cjson.encode({ id = default_project, name = 'default' }))
	call('HSET', key_project_names(), 'default', '1', default_project, '1')
end
local meta = call('HMGET', key_meta(), 'schema', 'partitions', 'instance', 'growth')
meta[4], meta[5] = meta[4] or '', now_digits
meta[6] = concat(call('SMEMBERS', key_made()), ' ')
return meta
