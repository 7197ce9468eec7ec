-- site_rest.lua: sites that rest because the last connection to them failed (see rest). During the rest no connection
-- to the site is opened, and its jobs are deferred. After the rest, one connection is tried before all others.
local rests = {}                               -- site -> its rest, false for none
local deferrals_left = 100                     -- jobs to defer in one call
local due = {}
local deferred = 0                             -- recipients

local function remember_rest(site, text)
	rests[site] = false
	if not text then return end
	local until_ms, code, reason = match(text, '^(%d+) %d+ (%d+) (.*)$')
	rests[site] = { until_ms = tonumber(until_ms), code = code, reason = reason }
end

local function rest_of(site)
	if rests[site] == nil then remember_rest(site, call('GET', key_rest(site))) end
	return rests[site]
end

-- True if the site still rests. The owner has a working connection to it, so a rest that has ended is removed.
local function is_resting(site)
	local rest = rest_of(site)
	if not rest then return false end
	if rest.until_ms > now_ms then return true end
	call('DEL', key_rest(site))
	rests[site] = false
	return false
end

-- Defers a job until the end of the rest. A recipient that is deferred already gets no second event.
local function defer_job(ref, rest)
	local message, id, job_number = find_job(ref)
	message = message and whole(id)
	if not message then return end
	each_open(message, job_number, function(r, recipient)
		if recipient.state == 'deferred' then return end
		set_state(id, message, r, 'deferred', rest.code, '-', rest.reason)
		deferred = deferred + 1
	end)
	due[#due + 1] = digits(min(rest.until_ms, message.deadline_ms))
	due[#due + 1] = ref
end

-- Defers the ready jobs of a site; this counts no attempt. try_job(lane, ref) may take a job that a request made ready,
-- and then returns true.
local function defer_site(site, rest, try_job)
	local asked = key_asked(site)
	local has_asked = call('EXISTS', asked) == 1
	for i = 1, #LANES do
		local lane = LANES[i]
		repeat
			local wanted = min(deferrals_left, looks_left, BATCH)
			local refs = wanted > 0 and pop_site(lane, site, wanted) or {}
			load_popped(refs)
			deferrals_left = deferrals_left - #refs
			for n = 1, #refs do
				local is_asked = has_asked and call('SREM', asked, refs[n]) == 1
				if not (is_asked and try_job(lane, refs[n])) then defer_job(refs[n], rest) end
			end
		until #refs < wanted or wanted <= 0
	end
end
