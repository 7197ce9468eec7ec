#!lua flags=no-writes
-- inbox_list: a page of a test inbox, newest first.
-- KEYS 1 partition root. recipient: in lower case, `*` = all. before: the sequence of the last entry of the previous
-- page, 0 = the first page. most_bytes: of all mails of a page; the first mail may have more.
--@include base
--@args project recipient before:number most:number most_bytes:number
-- returns the number of mails that were removed or not kept for lack of room; whether more entries follow; the rows.
-- chunks: of the content
--@returns dropped has_more rows
--@row mail sequence entry chunks
local dropped, has_more, rows = tonumber(call('HGET', key_inbox(project), 'dropped') or '0'), 0, {}
local from = before > 0 and '(' .. digits(before) or '+inf'
local order = key_inbox_order(project, recipient)
local sequences = call('ZRANGE', order, from, '-inf', 'BYSCORE', 'REV', 'LIMIT', 0, most + 1)
local entries = #sequences > 0 and call('HMGET', key_inbox_entry(project), unpack(sequences)) or {}
local room, shown = most_bytes, 0
for i = 1, #sequences do
	local message = match(entries[i] or '', '^%d+ (%S+)\n')
	local mail = message and call('HGET', key_inbox_mail(project), message)
	local chunks, bytes = match(mail or '', '^%d+ (%d+) %d+ (%d+)$')
	if chunks then
		room = room - bytes
		if shown == most or (shown > 0 and room < 0) then
			has_more = 1
			break
		end
		shown = shown + 1
		local n = #rows
		rows[n + 1], rows[n + 2], rows[n + 3] = tonumber(sequences[i]), entries[i], tonumber(chunks)
	end
end
return { dropped, has_more, rows }
