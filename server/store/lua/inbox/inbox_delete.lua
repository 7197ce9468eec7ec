#!lua flags=allow-oom
-- inbox_delete: empties the test inbox of a recipient, or of the whole tenant, in steps. Allowed in a full store.
-- KEYS 1 partition root
--@include base inbox
--@args project recipient upto:number most:number
-- recipient: in lower case, `*` = all. upto: the last sequence to delete; 0 = the last one that exists now. most:
-- entries a call.
-- returns upto for the next call; 0: done
--@returns next_upto
local order = key_inbox_order(project, recipient)
local next_upto = upto > 0 and upto or tonumber(call('HGET', key_inbox(project), 'sequence') or '0')
local sequences = call('ZRANGE', order, '-inf', digits(next_upto), 'BYSCORE', 'LIMIT', 0, digits(most))
local freed = 0
for i = 1, #sequences do freed = freed + remove_entry(project, sequences[i]) end
if freed > 0 then count_inbox(project, -freed) end
if #sequences < most then next_upto = 0 end
return { next_upto }
