#!lua
-- inbox: keeps a mail that the built-in sink received: newest first, at most so many, for so long.
-- KEYS 1 partition root
--@include base
--@args project recipient entry:bytes most:number life_s:digits
-- returns 1. A delivery that is repeated is in it twice, as in a real mailbox.
call('LPUSH', key_inbox(project, recipient), entry)
call('LTRIM', key_inbox(project, recipient), 0, most - 1)
call('EXPIRE', key_inbox(project, recipient), life_s)
call('PUBLISH', key_inbox_news(), project .. ' ' .. recipient)
return 1
