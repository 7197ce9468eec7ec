-- base.lua: shared by all transitions. generate.py copies only the used parts into a transition.
local root = KEYS[1]
local call = redis.call
local sub = string.sub
local match = string.match
local find = string.find
local gmatch = string.gmatch
local gsub = string.gsub
local lower = string.lower
local format = string.format
local floor = math.floor
local ceil = math.ceil
local min = math.min
local max = math.max
local concat = table.concat
local clock = call('TIME')
local now_ms = clock[1] * 1000 + floor(clock[2] / 1000)
local LANES = { 'otp', 'normal', 'bulk' }
local MINUTE_MS = 60000
local HOUR_MS = 3600000

-- Writes a whole number in decimal. tostring() would write large numbers as 1e+15.
local function digits(number) return format('%d', number) end

local now_digits = digits(now_ms)

-- Lua passes at most about 8,000 arguments to a call. The number is even, so that pairs stay together.
local PIECE = 4000

-- Calls a command that takes any number of values, in pieces. key may be nil: for MSET and DEL. option: a word before
-- the values, nil for none.
local function call_in_pieces(command, key, values, option)
	for first = 1, #values, PIECE do
		local last = min(first + PIECE - 1, #values)
		if option then call(command, key, option, unpack(values, first, last))
		elseif key then call(command, key, unpack(values, first, last))
		else call(command, unpack(values, first, last)) end
	end
end

-- MGET (key is nil), HMGET or SMISMEMBER, in pieces. Returns the values in the order of the names; for SMISMEMBER 1 or
-- 0, for the others false for a missing one.
local function read_in_pieces(command, key, names)
	local values = {}
	for first = 1, #names, PIECE do
		local last = min(first + PIECE - 1, #names)
		local got
		if key then got = call(command, key, unpack(names, first, last))
		else got = call(command, unpack(names, first, last)) end
		if #names <= PIECE then return got end
		for i = 1, #got do values[first + i - 1] = got[i] end
	end
	return values
end
