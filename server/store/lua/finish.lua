-- finish.lua: ends the open recipients of messages, but those whose job is past its dot. Places in ready lists stay as
-- empty ones, which take drops when it comes to them (removing them would be O(n)).
local function finish(ids, state, text)        -- per id: {recipients ended, recipients held back by an open dot}; {-1, 0}: no such message
	local msgs, refs, res = load(ids), {}, {}
	for id, m in pairs(msgs) do
		if m then for j = 0, m.J - 1 do if m.jobs[j].open > 0 then refs[#refs + 1] = ref_of(id, j) end end end
	end
	local got, lease = many('HMGET', P .. 'lease', refs), {}
	for i = 1, #refs do lease[refs[i]] = lease_of(got[i]) end
	local drop, undue, done = {}, {}, {}
	for i = 1, #ids do
		local id = ids[i]
		local m = msgs[id]
		local over, held = 0, 0
		if not m then over = -1
		elseif not done[id] then
			done[id] = true
			local free = {}
			for j = 0, m.J - 1 do
				local ref = ref_of(id, j)
				local l = lease[ref]
				if m.jobs[j].open > 0 then
					if l and l.dot then held = held + m.jobs[j].open
					elseif l then free[j] = true; drop[#drop + 1] = ref; m.jobs[j].epoch = l.epoch
					else free[j] = true; undue[#undue + 1] = ref end
				end
			end
			for r = 0, m.R - 1 do
				local o = m.rcpts[r]
				if free[o.job] and is_open(o) then set_state(id, m, r, state, 0, false, text); over = over + 1 end
			end
		end
		res[i] = { over, held }
	end
	chunked('HDEL', P .. 'lease', drop, 4000)
	chunked('ZREM', P .. 'lease_end', drop, 4000)
	chunked('ZREM', P .. 'due', undue, 4000)
	return res
end
