-- Counts one attempt, if it fits. Times in microseconds.
-- KEYS: a lane; or the lane of the address, that of its network, and the addresses that the login is known from.
-- ARGV: interval, tolerance; with a login also the address, for how long it is known, and '1' if whoever asks knows it.
-- Gives by how much the lane is too full (0: counted), and for how much longer the address is known (0: it is not).
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval, tolerance = tonumber(ARGV[1]), tonumber(ARGV[2])
local lane, known_for = KEYS[1], 0
if KEYS[3] then
    local since = redis.call('ZSCORE', KEYS[3], ARGV[3])
    if since then
        known_for = math.max(tonumber(since) + tonumber(ARGV[4]) - now, 0)
    end
    if known_for == 0 and ARGV[5] ~= '1' then
        lane = KEYS[2]
    end
end
-- No lane is ever fuller than this, but for a clock that was set back.
local fullest = now + tolerance + interval
local empty_at = math.min(math.max(tonumber(redis.call('GET', lane) or '0'), now), fullest)
local excess = empty_at - now - tolerance
if excess > 0 then
    return {excess, known_for}
end
empty_at = empty_at + interval
local ms = math.max(math.ceil((empty_at - now) / 1000), 1)
redis.call('SET', lane, string.format('%.0f', empty_at), 'PX', string.format('%.0f', ms))
return {0, known_for}
