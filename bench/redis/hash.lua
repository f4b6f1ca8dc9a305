-- An entity is a hash: a field for each bucket that lives, by span and number, for
-- attempts and for failures; first, wins and the newest minute. Distinct members are a
-- HyperLogLog of Redis's own for each bucket, which expires. What was is read by one
-- HGETALL, and fields of buckets that ended are deleted.
local n = tonumber(ARGV[1])
local minute, failed = tonumber(ARGV[2]), tonumber(ARGV[3])
local floor, call = math.floor, redis.call
local hour = floor(minute / 60)
local day = floor(hour / 24)
local now = { minute, hour, day, floor(day / 30) }
local last = { 120, 7200, 172800, 5184000 } -- seconds that a bucket lives
local old = {}
for i = 1, #KEYS do
	local key = KEYS[i]
	local was = call('HGETALL', key)
	old[i] = was
	local gone = {}
	for j = 1, #was, 2 do
		local span, bucket = string.match(was[j], '^[af](%d):(%d+)$')
		if span and tonumber(bucket) < now[tonumber(span)] - 1 then
			gone[#gone + 1] = was[j]
		end
	end
	if #gone > 0 then
		call('HDEL', key, unpack(gone))
	end
	for span = 1, 4 do
		local bucket = span .. ':' .. now[span]
		call('HINCRBY', key, 'a' .. bucket, 1)
		if failed == 1 then
			call('HINCRBY', key, 'f' .. bucket, 1)
		end
		if i <= n then
			local members = key .. bucket
			if call('PFADD', members, ARGV[2 * i + 2] .. ':' .. ARGV[2 * i + 3]) == 1 then
				call('EXPIRE', members, last[span])
			end
		end
	end
	if failed == 0 then
		call('HINCRBY', key, 'wins', 1)
	end
	call('HSETNX', key, 'first', minute)
	call('HSET', key, 'newest', minute)
end
return old
