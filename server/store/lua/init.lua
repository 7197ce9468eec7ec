#!lua flags=allow-oom
-- init: makes a new store's meta, or tells what it is; sets the cursors of a partition. A full store must be able to drain: also after a restart.
-- KEYS 1 "pn:{g}:" (meta), or a partition root
-- ARGV for meta: 1 schema   2 partitions   3 instance id   4 the default project's id   5 "create" or "look"; for a partition: none
-- returns for meta: {schema, partitions, instance}, or {} when there is none and it may not be made; for a partition: {1}
--   pn:{g}:meta           hash: schema, partitions, instance
--   pn:{g}:projects       hash: number -> JSON {id, name}        pn:{g}:project_names   hash: name and prj_ id -> number
--   pn:{g}:keys           hash: hex SHA-256 of a key -> JSON      pn:{g}:key_ids         hash: key_ id -> hex SHA-256
local P, call = KEYS[1], redis.call
if #ARGV == 0 then
	local tm = call('TIME')
	call('SET', P .. 'x_cursor', math.floor(tm[1] / 60), 'NX')
	call('SET', P .. 'ret_cursor', math.floor(tm[1] / 3600), 'NX')
	return { 1 }
end
if call('EXISTS', P .. 'meta') == 0 then
	if ARGV[5] ~= 'create' then return {} end
	call('HSET', P .. 'meta', 'schema', ARGV[1], 'partitions', ARGV[2], 'instance', ARGV[3])
	call('HSET', P .. 'projects', '1', cjson.encode({ id = ARGV[4], name = 'default' }))
	call('HSET', P .. 'project_names', 'default', '1', ARGV[4], '1')
end
return call('HMGET', P .. 'meta', 'schema', 'partitions', 'instance')
