-- An entity is one string: the minute of its newest attempt, when it was first seen,
-- successes, and for each span, a minute, an hour, a day and 30 days, attempts and
-- failures in the bucket of the newest attempt and in the one before; entities with
-- members, then, for each span, two bitmaps of 128 bits.
-- All are read by one MGET and written by one MSET.
local n = tonumber(ARGV[1])
local minute, failed = tonumber(ARGV[2]), tonumber(ARGV[3])
local floor, byte, char, sub = math.floor, string.byte, string.char, string.sub
local hour = floor(minute / 60)
local day = floor(hour / 24)
local month = floor(day / 30)
local none = string.rep('\0', 16)
local counts = '<I4I4I4I4I4I4I4I4I4I4I4I4I4I4I4I4I4I4I4'
local crowd = counts .. 'c16c16c16c16c16c16c16c16'
local pack, parse = struct.pack, struct.unpack
local value = { [0] = 1, 2, 4, 8, 16, 32, 64, 128 }

local function slide(d, a, f, b, g)
	if d == 0 then
		return a + 1, f + failed, b, g
	elseif d == 1 then
		return 1, failed, a, f
	elseif d > 1 then
		return 1, failed, 0, 0
	elseif d == -1 then
		return a, f, b + 1, g + failed
	end
	return a, f, b, g
end

local function mark(x, at, bit)
	local v = byte(x, at)
	if floor(v / bit) % 2 == 1 then
		return x
	end
	return sub(x, 1, at - 1) .. char(v + bit) .. sub(x, at + 1)
end

local function meet(d, x, y, at, bit)
	if d == 0 then
		return mark(x, at, bit), y
	elseif d == 1 then
		return mark(none, at, bit), x
	elseif d > 1 then
		return mark(none, at, bit), none
	elseif d == -1 then
		return x, mark(y, at, bit)
	end
	return x, y
end

local old = redis.call('MGET', unpack(KEYS))
local new = {}
for i = 1, #KEYS do
	local s = old[i]
	local c, first, wins, a1, f1, b1, g1, a2, f2, b2, g2, a3, f3, b3, g3, a4, f4, b4, g4 = minute, minute, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
	local x1, y1, x2, y2, x3, y3, x4, y4 = none, none, none, none, none, none, none, none
	if s then
		if i <= n then
			c, first, wins, a1, f1, b1, g1, a2, f2, b2, g2, a3, f3, b3, g3, a4, f4, b4, g4, x1, y1, x2, y2, x3, y3, x4, y4 = parse(crowd, s)
		else
			c, first, wins, a1, f1, b1, g1, a2, f2, b2, g2, a3, f3, b3, g3, a4, f4, b4, g4 = parse(counts, s)
		end
	end
	local h = floor(c / 60)
	local d = floor(h / 24)
	local d1, d2, d3, d4 = minute - c, hour - h, day - d, month - floor(d / 30)
	a1, f1, b1, g1 = slide(d1, a1, f1, b1, g1)
	a2, f2, b2, g2 = slide(d2, a2, f2, b2, g2)
	a3, f3, b3, g3 = slide(d3, a3, f3, b3, g3)
	a4, f4, b4, g4 = slide(d4, a4, f4, b4, g4)
	if minute > c then
		c = minute
	end
	if minute < first then
		first = minute
	end
	wins = wins + 1 - failed
	new[2 * i - 1] = KEYS[i]
	if i <= n then
		local at, bit = ARGV[2 * i + 2] + 1, value[ARGV[2 * i + 3] + 0]
		x1, y1 = meet(d1, x1, y1, at, bit)
		x2, y2 = meet(d2, x2, y2, at, bit)
		x3, y3 = meet(d3, x3, y3, at, bit)
		x4, y4 = meet(d4, x4, y4, at, bit)
		new[2 * i] = pack(crowd, c, first, wins, a1, f1, b1, g1, a2, f2, b2, g2, a3, f3, b3, g3, a4, f4, b4, g4, x1, y1, x2, y2, x3, y3, x4, y4)
	else
		new[2 * i] = pack(counts, c, first, wins, a1, f1, b1, g1, a2, f2, b2, g2, a3, f3, b3, g3, a4, f4, b4, g4)
	end
end
redis.call('MSET', unpack(new))
return old
