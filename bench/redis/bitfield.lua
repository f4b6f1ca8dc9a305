-- An entity is one string of the same fields as in packed.lua, big-endian. All are read
-- by one MGET; BITFIELD, SETBIT and, where buckets turn, SETRANGE change them in place.
local n = tonumber(ARGV[1])
local minute, failed = tonumber(ARGV[2]), tonumber(ARGV[3])
local floor, call = math.floor, redis.call
local hour = floor(minute / 60)
local day = floor(hour / 24)
local month = floor(day / 30)
local now = { minute, hour, day, month }
local none = string.rep('\0', 16)
-- Bytes: 0 clock, 4 first, 8 wins, then of span i at 12+16i: a, f, b, g; members of
-- span i at 76+32i: x, y.
local old = call('MGET', unpack(KEYS))
for i = 1, #KEYS do
	local key, s = KEYS[i], old[i]
	local c = minute
	local change = { 'BITFIELD', key, 'OVERFLOW', 'SAT' }
	local m = #change
	local function set(at, v)
		change[m + 1], change[m + 2], change[m + 3], change[m + 4] = 'SET', 'u32', at * 8, v
		m = m + 4
	end
	local function add(at, v)
		change[m + 1], change[m + 2], change[m + 3], change[m + 4] = 'INCRBY', 'u32', at * 8, v
		m = m + 4
	end
	if s then
		c = struct.unpack('>I4', s)
	else
		call('SETRANGE', key, i <= n and 203 or 75, '\0')
		set(4, minute)
	end
	local h = floor(c / 60)
	local d = floor(h / 24)
	local was = { c, h, d, floor(d / 30) }
	for span = 1, 4 do
		local at, far = 12 + 16 * (span - 1), now[span] - was[span]
		local members = 76 + 32 * (span - 1)
		if far == 0 then
			add(at, 1)
			if failed == 1 then
				add(at + 4, 1)
			end
		elseif far > 0 then
			local a, f, x = 0, 0, none
			if far == 1 then
				a, f = struct.unpack('>I4I4', s, at + 1)
				if i <= n then
					x = string.sub(s, members + 1, members + 16)
				end
			end
			set(at, 1)
			set(at + 4, failed)
			set(at + 8, a)
			set(at + 12, f)
			if i <= n then
				call('SETRANGE', key, members, none .. x)
			end
		elseif far == -1 then
			add(at + 8, 1)
			if failed == 1 then
				add(at + 12, 1)
			end
			members = members + 16
		else
			members = nil
		end
		if i <= n and members then
			call('SETBIT', key, (members + ARGV[2 * i + 2]) * 8 + ARGV[2 * i + 3], 1)
		end
	end
	if not s or minute > c then
		set(0, minute)
	end
	if failed == 0 then
		add(8, 1)
	end
	call(unpack(change))
end
return old
