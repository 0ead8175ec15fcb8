-- Adds items to an epoch's stream if everything is as expected. Everything is checked before the first write.
-- KEYS: the term, the pointer, the stream, and those that go.
-- ARGV: our term; the epoch; "in_force", "unseen" or "bring_into_force"; the stream's last id, or "" if it must not be
--   there; how long an unseen stream lives, in milliseconds; from which id on the stream is kept, or "" for all of it;
--   for how many milliseconds each of the keys that go stays, parted by spaces, 0 being not at all;
--   then id, field and value of each item.
local term, epoch, rule, expected, unseen_ms, keep_from, stay = unpack(ARGV, 1, 7)
if redis.call('GET', KEYS[1]) ~= term then
  return {'term_ended'}
end
if rule == 'in_force' and redis.call('GET', KEYS[2]) ~= epoch then
  return {'not_in_force'}
end
local last = ''
if redis.call('EXISTS', KEYS[3]) == 1 then
  local newest = redis.call('XREVRANGE', KEYS[3], '+', '-', 'COUNT', 1)
  last = newest[1] and newest[1][1] or ''
  if last == expected then
    -- Items that somebody deleted count as well: Redis takes no id that is not above them.
    local info = redis.call('XINFO', 'STREAM', KEYS[3])
    for at = 1, #info, 2 do
      if info[at] == 'last-generated-id' and info[at + 1] ~= '0-0' then
        last = info[at + 1]
      end
    end
  end
end
if last ~= expected then
  return {'elsewhere', last}
end
for at = 8, #ARGV, 3 do
  redis.call('XADD', KEYS[3], ARGV[at], ARGV[at + 1], ARGV[at + 2])
end
if keep_from ~= '' then
  redis.call('XTRIM', KEYS[3], 'MINID', keep_from)
end
if rule == 'unseen' then
  redis.call('PEXPIRE', KEYS[3], unseen_ms)
elseif rule == 'bring_into_force' then
  redis.call('PERSIST', KEYS[3])
  redis.call('SET', KEYS[2], epoch)
end
local at = 4
for ms in string.gmatch(stay, '%d+') do
  if ms == '0' then
    redis.call('UNLINK', KEYS[at])
  else
    redis.call('PEXPIRE', KEYS[at], ms)
  end
  at = at + 1
end
return {'written'}
