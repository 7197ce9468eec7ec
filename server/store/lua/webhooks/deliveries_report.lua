#!lua flags=allow-oom
-- deliveries_report: writes the results of the process that delivers webhooks, in one step. It also takes or renews the
-- lease: only the process that holds it delivers.
-- KEYS 1 the root of the installation. lease_ms: 0 = release the lease.
--@include base
--@args process lease_ms:digits
--@item what endpoint first second
--   what       first          second
--   cursor     partition      place: all events before it are delivered or wait for another try
--   retry      due_ms         member: try it again then
--   over       member         ms: no more tries, unless a redelivery was requested after that time
--   delivered  member         ms: delivered; other tries of the same event end, too
--   soon       ms             -: retries with up to 3 tries are due by then, 20 ms apart
--   log        JSON           1 if the delivery failed
--   tested     event          JSON: outcome of a test delivery
--   disable    reason         -
--   lost       from_ms        until_ms: events of that time are lost; the endpoint keeps the whole period
-- returns 1, or 0: another process has the lease, and nothing was written. Items of a deleted endpoint do nothing.
-- Run again: cursors and retries are the same; a delivery may be in the lists twice.
local KEEP_LAST = 99                           -- index of the last delivery in a list
local holder = call('GET', key_deliveries_lease())
if holder and holder ~= process then return 0 end
if lease_ms == '0' then call('DEL', key_deliveries_lease())
else call('SET', key_deliveries_lease(), process, 'PX', lease_ms) end

local function remove_retry(id, member, until_ms)
	local due = call('ZSCORE', key_endpoint_retries(id), member)
	if due and tonumber(due) <= tonumber(until_ms) then call('ZREM', key_endpoint_retries(id), member) end
end

local function change_endpoint(id, project, change)
	local endpoint = cjson.decode(call('HGET', key_endpoints(project), id))
	if change(endpoint) then call('HSET', key_endpoints(project), id, cjson.encode(endpoint)) end
end

local function push_delivery(key, json)
	call('LPUSH', key, json)
	call('LTRIM', key, 0, KEEP_LAST)
end

-- One function for each kind of item. Arguments: endpoint, project, first, second.
local REPORTS = {
	cursor = function(id, _, partition, place) call('HSET', key_endpoint_cursors(id), partition, place) end,
	retry = function(id, _, due_ms, member) call('ZADD', key_endpoint_retries(id), due_ms, member) end,
	over = function(id, _, member, until_ms) remove_retry(id, member, until_ms) end,
	delivered = function(id, _, member, until_ms)
		local event = match(member, ' .*')
		remove_retry(id, '0' .. event, until_ms)
		for tries = 1, 9 do call('ZREM', key_endpoint_retries(id), tries .. event) end
	end,
	soon = function(id, _, from_ms)
		local key = key_endpoint_retries(id)
		local waiting = call('ZRANGE', key, '(' .. from_ms, '+inf', 'BYSCORE', 'LIMIT', 0, 1000)
		for i = 1, #waiting do
			if tonumber(match(waiting[i], '^%d+')) <= 3 then
				call('ZADD', key, 'LT', digits(tonumber(from_ms) + i * 20), waiting[i])
			end
		end
	end,
	log = function(id, _, json, has_failed)
		push_delivery(key_deliveries(id), json)
		if has_failed == '1' then push_delivery(key_deliveries_failed(id), json)
		else call('HSET', key_endpoint_cursors(id), 'good', now_digits) end
	end,
	tested = function(_, _, event, json) call('SET', key_endpoint_test(event), json, 'EX', 60) end,
	disable = function(id, project, reason)
		change_endpoint(id, project, function(endpoint)
			if not endpoint.enabled then return false end
			endpoint.enabled, endpoint.disabled_reason, endpoint.disabled_at = false, reason, now_ms
			call('INCR', key_endpoints_version())
			return true
		end)
	end,
	lost = function(id, project, from_ms, until_ms)
		change_endpoint(id, project, function(endpoint)
			local had_lost = (endpoint.lost_until or 0) > 0
			from_ms, until_ms = tonumber(from_ms), tonumber(until_ms)
			endpoint.lost_from = had_lost and min(endpoint.lost_from, from_ms) or from_ms
			endpoint.lost_until = max(endpoint.lost_until or 0, until_ms)
			return true
		end)
	end,
}
for i = 1, item_count do
	local id = item_endpoint(i)
	local project = call('HGET', key_endpoint_projects(), id)
	if project then REPORTS[item_what(i)](id, project, item_first(i), item_second(i)) end
end
return 1
