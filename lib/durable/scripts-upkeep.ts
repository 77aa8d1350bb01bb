/** Scripts that drop messages and count them; what all share is in scripts.ts. */
export const upkeepScripts = {
  /*
   * Drops messages. KEYS list parked topics tries holders claimed. ARGV 'trim', 'purge' (what nobody has in hand) or
   * 'all', and how many: when trimming, how many there may be altogether. Returns { number, '1' when there is more, due }.
   */
  drop: `
local list, parked, topics, tries, holders, base = unpack(KEYS)
local mode, number, limit = ARGV[3], 0, 1000
local nodes = mode ~= 'purge' and redis.call('SMEMBERS', holders) or {}
if mode == 'trim' then
  local depth = redis.call('LLEN', list) + redis.call('ZCARD', parked)
  for _, each in ipairs(nodes) do depth = depth + redis.call('ZCARD', base .. each) end
  limit = math.min(limit, depth - tonumber(ARGV[4]))
end
if limit <= 0 then return { 0, 0, due } end
for _, entry in ipairs(redis.call('LRANGE', list, 0, limit - 1)) do
  drop(entry)
  redis.call('LPOP', list)
  redis.call('HDEL', tries, entry)
  number = number + 1
end
local function empty (set)
  for _, entry in ipairs(redis.call('ZRANGE', set, 0, limit - 1)) do
    drop(entry)
    redis.call('ZREM', set, entry)
    redis.call('HDEL', topics, entry)
    redis.call('HDEL', tries, entry)
    number = number + 1
  end
end
if mode ~= 'trim' then empty(parked) end
if mode == 'all' then for _, each in ipairs(nodes) do empty(base .. each) end end
return { number, number >= limit and 1 or 0, due }`,

  /* Counts down one packet on a cluster, where `drop` could not. KEYS its count. Returns 1 when the packet is to go. */
  countDown: `
local count = redis.call('GET', KEYS[1])
if not count then return 0 end
if tonumber(count) <= 1 then redis.call('DEL', KEYS[1]) return 1 end
redis.call('DECR', KEYS[1])
return 0`,

  /* KEYS list parked tries holders claimed. Returns { waiting, claimed, parked, redelivered, the oldest entries... }. */
  depth: `
local list, parked, tries, holders, base = unpack(KEYS)
local claimed, oldest = 0, {}
local function add (entries) if entries[1] then oldest[#oldest + 1] = entries[1] end end
add(redis.call('LRANGE', list, 0, 0))
add(redis.call('ZRANGE', parked, 0, 0))
for _, each in ipairs(redis.call('SMEMBERS', holders)) do
  claimed = claimed + redis.call('ZCARD', base .. each)
  add(redis.call('ZRANGE', base .. each, 0, 0))
end
return { redis.call('LLEN', list), claimed, redis.call('ZCARD', parked), redis.call('HLEN', tries), unpack(oldest) }`
} as const
