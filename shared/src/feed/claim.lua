-- Claims a term if its number is above the claimed one's. Answers 1 if it is ours now.
-- KEYS: the term. ARGV: our term, "number-nonce".
local claimed = redis.call('GET', KEYS[1])
if claimed == ARGV[1] then
  return 1
end
-- Numbers of up to 20 digits, without leading zeros, which Lua's own would round.
local theirs = claimed and string.match(claimed, '^(%d+)%-%x+$')
local ours = string.match(ARGV[1], '^(%d+)%-%x+$')
if theirs and (#theirs > #ours or (#theirs == #ours and theirs >= ours)) then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1])
return 1
