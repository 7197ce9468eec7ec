#!lua flags=allow-oom
-- inbox_delete: empties the test inbox of a recipient, or of the whole project. Allowed in a full store.
-- KEYS 1 partition root
--@include base
--@args project recipient
-- recipient: '' = all. returns 1
if recipient == '' then
	local recipients = call('SMEMBERS', key_inbox_recipients(project))
	for i = 1, #recipients do call('DEL', key_inbox(project, recipients[i])) end
	call('DEL', key_inbox(project, '*'), key_inbox_recipients(project))
	return 1
end
local gone = call('LRANGE', key_inbox(project, recipient), 0, -1)
for i = 1, #gone do call('LREM', key_inbox(project, '*'), 1, gone[i]) end
call('DEL', key_inbox(project, recipient))
call('SREM', key_inbox_recipients(project), recipient)
return 1
