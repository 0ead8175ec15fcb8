-- Takes an attempt back, and remembers the address if it has signed in. Times in microseconds.
-- KEYS: the lane; if it has signed in also the addresses that the login is known from.
-- ARGV: interval; if it has signed in also the address, for how long it is known, and how many a login is known from.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local filled = redis.call('GET', KEYS[1])
if filled then
    local empty_at = tonumber(filled) - tonumber(ARGV[1])
    if empty_at > now then
        local ms = math.max(math.ceil((empty_at - now) / 1000), 1)
        redis.call('SET', KEYS[1], string.format('%.0f', empty_at), 'PX', string.format('%.0f', ms))
    else
        redis.call('DEL', KEYS[1])
    end
end
if KEYS[2] then
    redis.call('ZADD', KEYS[2], string.format('%.0f', now), ARGV[2])
    -- The newest stay.
    redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -tonumber(ARGV[4]) - 1)
    redis.call('PEXPIRE', KEYS[2], string.format('%.0f', math.max(math.ceil(ARGV[3] / 1000), 1)))
end
return 0
