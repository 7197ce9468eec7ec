#!lua flags=no-writes
-- accept_earlier: the message of an Idempotency-Key, where the key was before the number of partitions grew.
-- KEYS 1 partition root
--@include base
--@args project idempotency
-- value: fingerprint and message id; '': none
--@returns now_ms value
local value = call('GET', key_idempotency(project, idempotency)) or ''
return { now_ms, value }
