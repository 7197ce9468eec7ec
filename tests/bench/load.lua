-- wrk script: POSTs messages, each with an Idempotency-Key of its own.
-- wrk ... -s load.lua URL -- KEY POOL RUN [INTERVAL_MS]
-- POOL: a file with one JSON body a line; @TO@ becomes a number, @SENT@ the time in microseconds.
-- INTERVAL_MS: of one thread; its connections share the schedule. Without it: as fast as it goes.
local ffi = require("ffi")
ffi.cdef("typedef struct { long s; long ns; } ts; int clock_gettime(int, ts *);")
local clock = ffi.new("ts")

local function now_us()
	ffi.C.clock_gettime(0, clock)
	return tonumber(clock.s) * 1e6 + tonumber(clock.ns) / 1e3
end

local threads = 0
function setup(thread)
	threads = threads + 1
	thread:set("number", threads)
end

function init(args)
	interval_us = args[4] and tonumber(args[4]) * 1000 or nil
	run, n, pool = args[3], 0, {}
	for line in io.lines(args[2]) do
		local a, b, c = line:match("^(.*)@TO@(.*)@SENT@(.*)$")
		pool[#pool + 1] = { a, b, c }
	end
	headers = {
		["Authorization"] = "Bearer " .. args[1],
		["Content-Type"] = "application/json",
	}
	if not interval_us then
		delay = nil
	end
end

-- The schedule goes on when an answer is late: what waits then is what a client would see.
function delay()
	local now = now_us()
	due = (due or now) + interval_us
	return math.max(0, math.floor((due - now) / 1000))
end

function request()
	n = n + 1
	local part = pool[n % #pool + 1]
	headers["Idempotency-Key"] = run .. "-" .. number .. "-" .. n
	local body = part[1] .. number .. "." .. n .. part[2] .. string.format("%.0f", now_us()) .. part[3]
	return wrk.format("POST", nil, headers, body)
end

function done(summary, latency)
	local e = summary.errors
	io.write(string.format(
		'\nRESULT {"requests": %d, "seconds": %.6f, "p50_ms": %.3f, "p90_ms": %.3f, "p99_ms": %.3f, "max_ms": %.3f, "refused": %d, "errors": %d}\n',
		summary.requests, summary.duration / 1e6, latency:percentile(50) / 1000, latency:percentile(90) / 1000,
		latency:percentile(99) / 1000, latency.max / 1000, e.status, e.connect + e.read + e.write + e.timeout))
end
