-- Writes a chunk of a table that nobody reads yet. Answers 1 if it is written.
-- KEYS: the term, the table. ARGV: our term; the chunk's index; its bytes; how long the table lives, in milliseconds.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
redis.call('HSET', KEYS[2], ARGV[2], ARGV[3])
redis.call('PEXPIRE', KEYS[2], ARGV[4])
return 1
