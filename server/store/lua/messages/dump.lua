#!lua flags=no-writes
-- dump: what a partition has of a message, for operators.
-- KEYS 1 partition root
--@include base record
--@args id
-- returns texts: the record as it is stored, then a line for each key, lease and due time of the message. An empty
-- list: no such message.
local text = call('GET', key_message(id))
if not text then return {} end
local lines = { text }

local function add_key(key)
	local kind = call('TYPE', key).ok
	if kind == 'none' then return end
	local size = kind == 'list' and 'items ' .. call('LLEN', key) or 'bytes ' .. call('STRLEN', key)
	local life_ms = call('PTTL', key)
	local life = life_ms >= 0 and ', expires in ' .. ceil(life_ms / 1000) .. ' s' or ''
	lines[#lines + 1] = 'key ' .. key .. ' ' .. kind .. ', ' .. size .. life
end

local function add_score(name, key, ref)
	local ms = call('ZSCORE', key, ref)
	if ms then lines[#lines + 1] = 'job ' .. sub(ref, -3) .. ' ' .. name .. ' ' .. ms .. ' ms' end
end

add_key(key_message(id))
add_key(key_content(id))
local message = parse_record(text)
if not message then
	lines[#lines + 1] = 'the record is damaged'
	return lines
end
for chunk = 0, message.chunks - 1 do add_key(key_content_chunk(id, chunk)) end
add_key(key_transcripts(id))
add_key(key_retried(id))
for j = 0, message.job_count - 1 do
	local ref = job_ref(id, j)
	local lease = call('HGET', key_lease(), ref)
	if lease then lines[#lines + 1] = 'job ' .. sub(ref, -3) .. ' lease (epoch dot owner) ' .. lease end
	add_score('lease ends at', key_lease_end(), ref)
	add_score('is due at', key_due(), ref)
end
return lines
