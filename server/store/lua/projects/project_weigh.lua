#!lua flags=allow-oom
-- project_weigh: stores the weight of a project, for both of its modes. Allowed in a full store.
-- KEYS 1 partition root. project: its number. weight: 0 = the default, 1. Returns 1.
--@include base
--@args project weight:digits
if weight == '0' then call('HDEL', key_weights(), project, project .. 't')
else call('HSET', key_weights(), project, weight, project .. 't', weight) end
return 1
