-- inbox.lua: test inboxes. For their size, an entry counts with its text and ENTRY_BYTES, a content with its packed
-- bytes and CHUNK_BYTES a chunk.
local ENTRY_BYTES = 400
local CHUNK_BYTES = 200

-- Adds to the size of a tenant's test inbox, and to the sum of all.
local function count_inbox(project, bytes)
	call('ZADD', key_inbox_bytes(), 'INCR', digits(bytes), project)
	call('INCRBY', key_inbox_total(), digits(bytes))
end

-- Removes an entry; with the last entry of a mail its content. Returns the bytes that are free now.
local function remove_entry(project, sequence)
	local entry = call('HGET', key_inbox_entry(project), sequence)
	call('ZREM', key_inbox_order(project, '*'), sequence)
	if not entry then return 0 end
	local message, recipient = match(entry, '^%d+ (%S+)\n([^\n]*)\n')
	call('ZREM', key_inbox_order(project, recipient), sequence)
	call('HDEL', key_inbox_entry(project), sequence)
	local freed = #entry + ENTRY_BYTES
	local mail = call('HGET', key_inbox_mail(project), message)
	if not mail then return freed end
	local entries, chunks, packed, rest = match(mail, '^(%d+) (%d+) (%d+)( %d+)$')
	if tonumber(entries) > 1 then
		call('HSET', key_inbox_mail(project), message,
			digits(entries - 1) .. ' ' .. chunks .. ' ' .. packed .. rest)
		return freed
	end
	call('HDEL', key_inbox_mail(project), message)
	for chunk = 0, chunks - 1 do call('DEL', key_inbox_chunk(project, message, digits(chunk))) end
	return freed + packed + chunks * CHUNK_BYTES
end
