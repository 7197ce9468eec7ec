#!lua
-- inbox: keeps a mail that the built-in sink received, in the list of its recipient and in the list of all: newest
-- first, at most so many, for so long.
-- KEYS 1 partition root
--@include base
--@args project recipient entry:bytes most:number life_s:digits
-- returns 1. A delivery that is repeated is in it twice, as in a real mailbox.
local function push(key)
	call('LPUSH', key, entry)
	call('LTRIM', key, 0, most - 1)
	call('EXPIRE', key, life_s)
end
push(key_inbox(project, recipient))
push(key_inbox(project, '*'))
call('SADD', key_inbox_recipients(project), recipient)
call('EXPIRE', key_inbox_recipients(project), life_s)
call('PUBLISH', key_inbox_news(), project .. ' ' .. recipient)
return 1
