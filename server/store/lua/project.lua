#!lua
-- project: makes a project, or lists all.
-- KEYS 1 "pn:{g}:"   ARGV "make" | its id | its name   or   "list"
-- returns for make: its JSON, '' when the name is taken by another id (run again: the same answer); for list: all JSONs
local P, call = KEYS[1], redis.call
if ARGV[1] == 'list' then return call('HVALS', P .. 'projects') end
local known = call('HMGET', P .. 'project_names', ARGV[2], ARGV[3])
if known[1] then return call('HGET', P .. 'projects', known[1]) end
if known[2] then return '' end
local number, tm = call('HLEN', P .. 'projects') + 1, call('TIME')
local json = cjson.encode({ id = ARGV[2], name = ARGV[3], created = tm[1] * 1000 + math.floor(tm[2] / 1000) })
call('HSET', P .. 'projects', number, json)
call('HSET', P .. 'project_names', ARGV[2], number, ARGV[3], number)
return json
