#!lua flags=allow-oom
-- inbox: keeps a mail that the built-in sink received: an entry for each recipient, and one copy of the content. Makes
-- room for it: removes the oldest entries of the tenant, then those of the tenant with the largest inbox.
-- KEYS 1 partition root
--@include base inbox
--@args project message content:bytes chunks:number packed_bytes:number bytes:digits life_s:number most:number
--@args cap:number total_cap:number
--@item recipient json
-- content: packed, if it is one chunk. Otherwise: '', and chunks is the number of chunks that are stored, or 0 if they
-- are not. recipient: in lower case. most: of entries of a recipient. cap, total_cap: bytes of a tenant and of all;
-- total_cap 0: Redis is nearly full, so nothing is kept, and all test inboxes are emptied.
-- returns status, and the number of mails (entries) that were removed or not kept for lack of room. Allowed in a full
-- store, because the caps bound it. A delivery that is repeated is in the inbox twice, as in a real mailbox.
--@returns status dropped
local KEPT = 1          --@status
local NEEDS_CONTENT = 2 --@status  nothing was kept
local NOT_KEPT = 3      --@status
local MOST_REMOVED = 4000                      -- entries a call; more than a mail with 100 recipients needs
local dropped, removed, status = 0, 0, KEPT
local life_ms = life_s * 1000

-- Removes the oldest entry of a tenant. False: it has none.
local function drop_oldest(tenant)
	local oldest = call('ZRANGE', key_inbox_order(tenant, '*'), 0, 0)[1]
	if not oldest then return false end
	count_inbox(tenant, -remove_entry(tenant, oldest))
	call('HINCRBY', key_inbox(tenant), 'dropped', 1)
	dropped, removed = dropped + 1, removed + 1
	return true
end

local function forget(tenant)
	count_inbox(tenant, -(call('ZSCORE', key_inbox_bytes(), tenant) or 0))
	call('ZREM', key_inbox_bytes(), tenant)
	call('ZREM', key_inbox_end(), tenant)
end

-- Forgets inboxes that have expired.
local function forget_ended()
	local ended = call('ZRANGE', key_inbox_end(), '-inf', digits(now_ms), 'BYSCORE')
	for i = 1, #ended do forget(ended[i]) end
end

local function remove_old()
	while removed < MOST_REMOVED do
		local oldest = call('ZRANGE', key_inbox_order(project, '*'), 0, 0)[1]
		local entry = oldest and call('HGET', key_inbox_entry(project), oldest)
		if not entry or match(entry, '^%d+') + life_ms > now_ms then return end
		count_inbox(project, -remove_entry(project, oldest))
		removed = removed + 1
	end
end

local function drop_over_caps()
	local own = tonumber(call('ZSCORE', key_inbox_bytes(), project) or '0')
	while own > cap and removed < MOST_REMOVED and drop_oldest(project) do
		own = tonumber(call('ZSCORE', key_inbox_bytes(), project))
	end
	while removed < MOST_REMOVED and tonumber(call('GET', key_inbox_total()) or '0') > total_cap do
		local largest = call('ZRANGE', key_inbox_bytes(), 0, 0, 'REV')[1]
		if not largest then
			call('DEL', key_inbox_total())
			return
		end
		if not drop_oldest(largest) then forget(largest) end
	end
end

-- Returns the number of entries and of chunks that the mail has, and whether it is new; nil: its content is missing.
local function find_content()
	local known = call('HGET', key_inbox_mail(project), message)
	local entries, known_chunks = match(known or '0 0', '^(%d+) (%d+)')
	local n = content ~= '' and 1 or known and tonumber(known_chunks) or chunks
	if n == 0 then return nil end
	for chunk = 0, n - 1 do
		local key = key_inbox_chunk(project, message, digits(chunk))
		if call('EXISTS', key) == 0 then
			if content == '' then return nil end
			call('SET', key, content)
		end
	end
	for chunk = 0, n - 1 do call('EXPIRE', key_inbox_chunk(project, message, digits(chunk)), life_s) end
	return tonumber(entries), n, not known
end

-- Returns the bytes that it adds.
local function add_entry(i)
	local recipient = item_recipient(i)
	local entry = now_digits .. ' ' .. message .. '\n' .. recipient .. '\n' .. item_json(i)
	local sequence = digits(call('HINCRBY', key_inbox(project), 'sequence', 1))
	local order = key_inbox_order(project, recipient)
	call('HSET', key_inbox_entry(project), sequence, entry)
	call('ZADD', key_inbox_order(project, '*'), sequence, sequence)
	call('ZADD', order, sequence, sequence)
	call('EXPIRE', order, life_s)
	if call('ZCARD', order) <= most then return #entry + ENTRY_BYTES end
	return #entry + ENTRY_BYTES - remove_entry(project, call('ZRANGE', order, 0, 0)[1])
end

-- False: the content is needed.
local function add_mail()
	local entries, n_chunks, is_new = find_content()
	if not entries then return false end
	local added, news = is_new and packed_bytes + n_chunks * CHUNK_BYTES or 0, { project }
	call('HSET', key_inbox_mail(project), message, digits(entries + item_count) .. ' ' .. digits(n_chunks) .. ' ' ..
		digits(packed_bytes) .. ' ' .. bytes)
	for i = 1, item_count do
		added = added + add_entry(i)
		news[i + 1] = item_recipient(i)
	end
	count_inbox(project, added)
	call('SPUBLISH', key_inbox_news(), concat(news, '\n') .. '\n')
	return true
end

forget_ended()                                 -- first: it may be this tenant's
if total_cap == 0 then
	status, dropped = NOT_KEPT, item_count
	call('HINCRBY', key_inbox(project), 'dropped', item_count)
elseif not add_mail() then return { NEEDS_CONTENT, 0 } end
remove_old()
drop_over_caps()
call('ZADD', key_inbox_end(), digits(now_ms + life_ms), project)
call('EXPIRE', key_inbox(project), life_s)
call('EXPIRE', key_inbox_entry(project), life_s)
call('EXPIRE', key_inbox_mail(project), life_s)
call('EXPIRE', key_inbox_order(project, '*'), life_s)
return { status, dropped }
