#!lua
-- transcript: keeps the SMTP dialogue of a failed attempt. No flags: a full store refuses it, and it is not kept.
-- KEYS 1 partition root. most: how many a message keeps. attempt: "job epoch ". packed: the text.
--@include base record
--@args most:digits retention_ms:number id attempt packed:bytes
-- returns 1, or 0: no such message. Run again: the same.
local message = parse_head(call('GETRANGE', key_message(id), 0, 511))
if not message then return 0 end
local kept = call('LRANGE', key_transcripts(id), 0, -1)
for i = 1, #kept do if sub(kept[i], 1, #attempt) == attempt then return 1 end end
call('RPUSH', key_transcripts(id), attempt .. packed)
call('LTRIM', key_transcripts(id), -most, -1)
-- Kept as long as the record may live: the message ends at its deadline at the latest, and sweep runs by the hour.
local life_ms = max(message.deadline_ms - now_ms, 0) + retention_ms + 2 * HOUR_MS
call('PEXPIRE', key_transcripts(id), digits(life_ms))
return 1
