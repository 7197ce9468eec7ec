#!lua flags=no-writes
-- hooks: all webhook endpoints and how far each has come, for the process that delivers.
-- KEYS 1 "pn:{g}:" (lua/endpoint.lua has the keys)   ARGV 1 the version that is known
-- returns {version} when that is the one; else {version, per endpoint: id, project, project's JSON, JSON, {partition, place, ...}, retries that wait}
local P, call = KEYS[1], redis.call
local version = tonumber(call('GET', P .. 'hooks_v') or '0')
if version == tonumber(ARGV[1]) then return { version } end
local out, all = { version }, call('HGETALL', P .. 'hooks')
for i = 1, #all, 2 do
	local id, project = all[i], all[i + 1]
	local n = #out
	out[n + 1], out[n + 2] = id, project
	out[n + 3] = call('HGET', P .. 'projects', project)
	out[n + 4] = call('HGET', P .. 'hook:' .. project, id)
	out[n + 5] = call('HGETALL', P .. 'hc:' .. id)
	out[n + 6] = call('ZCARD', P .. 'hr:' .. id)
end
return out
