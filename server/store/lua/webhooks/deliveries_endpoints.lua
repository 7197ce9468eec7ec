#!lua flags=no-writes
-- deliveries_endpoints: all webhook endpoints and their cursors, for the process that delivers.
-- KEYS 1 the root of the installation. known_version: the version in the last reply.
--@include base
--@args known_version:number
-- returns {version} if it is the known one; else {version, then the row of each endpoint}
--   cursors: partition, place, partition, place ...   waiting: number of retries
--@row head version
--@row endpoint id project project_json json cursors waiting
local version = tonumber(call('GET', key_endpoints_version()) or '0')
if version == known_version then return { version } end
local reply, endpoints = { version }, call('HGETALL', key_endpoint_projects())
for i = 1, #endpoints, 2 do
	local id, project, n = endpoints[i], endpoints[i + 1], #reply
	reply[n + 1], reply[n + 2] = id, project
	reply[n + 3] = call('HGET', key_projects(), match(project, '^%d+'))
	reply[n + 4] = call('HGET', key_endpoints(project), id)
	reply[n + 5] = call('HGETALL', key_endpoint_cursors(id))
	reply[n + 6] = call('ZCARD', key_endpoint_retries(id))
end
return reply
