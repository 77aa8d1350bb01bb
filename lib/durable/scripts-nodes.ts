/** Scripts about nodes, groups and filters; what all share is in scripts.ts. */
export const nodeScripts = {
  /*
   * Renews a lease. KEYS leases. ARGV node, how long, how long a burial may take, '1' to begin one. Returns { '0' when
   * it is lost, other nodes that are dead... }.
   */
  renew: `
local time = now()
local mine = redis.call('HGET', KEYS[1], ARGV[3])
if mine and tonumber(mine) < 0 or not mine and ARGV[6] ~= '1' then return { '0' } end
redis.call('HSET', KEYS[1], ARGV[3], string.format('%.0f', time + tonumber(ARGV[4])))
local answer, all = { '1' }, redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local ends = tonumber(all[i + 1])
  if (ends >= 0 and ends < time) or (ends < 0 and time + ends > tonumber(ARGV[5])) then answer[#answer + 1] = all[i] end
end
return answer`,

  /* Begins to bury a node. KEYS leases. ARGV node, how long it may take. Returns 1 for the one node that may. */
  bury: `
local time, value = now(), redis.call('HGET', KEYS[1], ARGV[3])
if not value then return 0 end
local ends = tonumber(value)
if (ends >= 0 and ends >= time) or (ends < 0 and time + ends <= tonumber(ARGV[4])) then return 0 end
redis.call('HSET', KEYS[1], ARGV[3], string.format('%.0f', -time))
return 1`,

  /* KEYS groups. ARGV group, how many there may be. Returns 0 when it is one too many. */
  enter: `
if redis.call('HEXISTS', KEYS[1], ARGV[3]) == 0 and redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[4]) then return 0 end
redis.call('HSET', KEYS[1], ARGV[3], string.format('%.0f', now()))
return 1`,

  /* Sets fields that are there to the time. KEYS a hash. ARGV fields. Returns how many are there. */
  touch: `
local number, time = 0, string.format('%.0f', now())
for i = 3, #ARGV do
  if redis.call('HEXISTS', KEYS[1], ARGV[i]) == 1 then
    redis.call('HSET', KEYS[1], ARGV[i], time)
    number = number + 1
  end
end
return number`,

  /* Sets fields to the time. KEYS a hash. ARGV fields. */
  stamp: `
for i = 3, #ARGV do redis.call('HSET', KEYS[1], ARGV[i], string.format('%.0f', now())) end
return 1`,

  /* KEYS a hash of times. ARGV an age. Returns the fields that are older. */
  older: `
local answer, time, all = {}, now() - tonumber(ARGV[3]), redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do if tonumber(all[i + 1]) < time then answer[#answer + 1] = all[i] end end
return answer`,

  /* Removes fields that are older. KEYS a hash of times. ARGV an age, fields. Returns 1. */
  forget: `
local time = now() - tonumber(ARGV[3])
for i = 4, #ARGV do
  local value = redis.call('HGET', KEYS[1], ARGV[i])
  if value and tonumber(value) < time then redis.call('HDEL', KEYS[1], ARGV[i]) end
end
return 1`,

  /* KEYS a lock. ARGV its token. */
  unlock: `
if redis.call('GET', KEYS[1]) == ARGV[3] then redis.call('DEL', KEYS[1]) end
return 1`
} as const
