#!lua
-- project: makes a project.
-- KEYS 1 "pn:{g}:"   ARGV 1 its id   2 its name
-- returns its number, or 0 when the name is taken by another id. Run again: the same answer.
local P, call = KEYS[1], redis.call
local known = call('HMGET', P .. 'project_names', ARGV[1], ARGV[2])
if known[1] then return tonumber(known[1]) end
if known[2] then return 0 end
local number = call('HLEN', P .. 'projects') + 1
call('HSET', P .. 'projects', number, cjson.encode({ id = ARGV[1], name = ARGV[2] }))
call('HSET', P .. 'project_names', ARGV[1], number, ARGV[2], number)
return number
