import { createHash } from 'node:crypto'
import { nodeScripts } from './scripts-nodes.ts'
import { upkeepScripts } from './scripts-upkeep.ts'

/** A Lua script, by the names that EVAL and EVALSHA know it by. */
export interface Script {
  readonly lua: string
  readonly sha: string
}

/*
 * The rules that all of them keep. An entry is what the list holds, `packet:<broker id>:<counter>`; the packet is at
 * the key of that name (with the connection's key prefix), and the number of lists that still hold it at
 * `<entry>:offlineCount`. Each entry counts once, in the script that removes it from where it was, so a command that
 * is repeated does nothing. When Redis is full, Redis before 7 refuses the first command that may need memory: it
 * comes before anything that could not be repeated. On a cluster the packets are in other slots: `spread` scripts
 * return the entries to count down instead.
 *
 * ARGV[1] key prefix of packets, ARGV[2] '1' when they are spread. All times are Redis' own, in milliseconds.
 */
const prelude = `
local prefix, spread = ARGV[1], ARGV[2] == '1'
local due = {}
local function drop (entry)
  if spread then due[#due + 1] = entry return end
  local packet = prefix .. entry
  local count = redis.call('GET', packet .. ':offlineCount')
  if not count then return end
  if tonumber(count) <= 1 then redis.call('DEL', packet, packet .. ':offlineCount')
  else redis.call('DECR', packet .. ':offlineCount') end
end
local function giveBack (list, own, entries)
  local part = {}
  for i = 1, #entries do
    part[#part + 1] = entries[i]
    if #part == 1000 or i == #entries then
      redis.call('LPUSH', list, unpack(part))
      redis.call('ZREM', own, unpack(part))
      part = {}
    end
  end
end
local function now ()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
`

const messageScripts = {
  /*
   * KEYS list meta holders parked tries done doneBefore claimed. ARGV node, request number, the last request whose
   * answer arrived (what later ones took is given back), how many, how many there may be altogether, how many bytes,
   * how many members, how far ahead of other nodes a member may be.
   * Returns { how many there are too many, or -1 when all was dropped, or -2 when it is the turn of others,
   * [entry, packet, deliveries]... }, on a cluster without packets, and `due` as last.
   */
  claim: `
local list, meta, holders, parked, tries, done, doneBefore, base = unpack(KEYS)
local node, request, count, most, room = ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local own, field = base .. node, 'request:' .. ARGV[3]
local before = redis.call('HGET', meta, field)
if before then
  local number, first, last = string.match(before, '^(%d+) (%d+) (%d+)$')
  if request < tonumber(number) then return { 0, due } end
  if tonumber(number) > tonumber(ARGV[5]) then
    giveBack(list, own, redis.call('ZREVRANGEBYSCORE', own, last, first))
    redis.call('HSET', meta, field, string.format('%.0f 0 0', request))
  end
end
if count == 0 then return { 0, due } end
redis.call('SADD', holders, node)
local nodes = redis.call('SMEMBERS', holders)
-- A node is hungry for a while when it got less than it wanted. While others are, none takes more for each of its
-- members than they have taken: a fast node would leave nothing to one that is busy with publishers.
local turn, time, taken, least = 'turn:' .. node, 0, 0, nil
local function hungry (still)
  if #nodes > 1 then redis.call('HSET', meta, turn, string.format('%.3f %.0f', taken, still and time or 0)) end
end
if #nodes > 1 then
  time = now()
  for _, each in ipairs(nodes) do
    local value = redis.call('HGET', meta, 'turn:' .. each)
    local has, since = string.match(value or '0 0', '^(%S+) (%S+)$')
    if each == node then taken = tonumber(has)
    elseif time - tonumber(since) < 200 and (not least or tonumber(has) < least) then least = tonumber(has) end
  end
end
local waiting = redis.call('LLEN', list)
if waiting == 0 then hungry(true) return { 0, due } end
if least then
  local ahead = least + tonumber(ARGV[10])
  taken = math.min(taken, ahead)
  local allowed = math.floor((ahead - taken) * tonumber(ARGV[9]))
  if allowed < 1 then hungry(true) return { -2, due } end
  count = math.min(count, allowed)
end
local depth = waiting + redis.call('ZCARD', parked)
for _, each in ipairs(nodes) do depth = depth + redis.call('ZCARD', base .. each) end
if depth > most then return { math.min(depth - most, waiting), due } end

local entries = redis.call('LRANGE', list, 0, count - 1)
local last = redis.call('HINCRBY', meta, 'number', #entries)
local first = last - #entries + 1
redis.call('HSET', meta, field, string.format('%.0f %.0f %.0f', request, first, last))
local overlapping = redis.call('HGET', meta, 'overlapping')
local tried = redis.call('EXISTS', tries) == 1
local function known (entry)
  if redis.call('ZSCORE', parked, entry) then return true end
  for _, each in ipairs(nodes) do
    if redis.call('ZSCORE', base .. each, entry) then return true end
  end
  return redis.call('SISMEMBER', done, entry) == 1 or redis.call('SISMEMBER', doneBefore, entry) == 1
end
local answer, passed, size, wanted = { 0 }, 0, 0, tonumber(ARGV[6])
for i, entry in ipairs(entries) do
  passed = i
  local score = string.format('%.0f', first + i - 1)
  if (overlapping and known(entry)) or redis.call('ZADD', own, 'NX', score, entry) == 0 then
    drop(entry)
  else
    local packet = spread or redis.call('GET', prefix .. entry)
    if packet then
      if not spread then
        answer[#answer + 1] = packet
        size = size + #packet
      end
      answer[#answer + 1] = entry
      answer[#answer + 1] = tried and redis.call('HGET', tries, entry) or '0'
      if size >= room then break end
    else
      redis.call('ZREM', own, entry)
      redis.call('HDEL', tries, entry)
      drop(entry)
    end
  end
end
redis.call('LTRIM', list, passed, -1)
taken = taken + passed / tonumber(ARGV[9])
hungry(passed < wanted)
if #answer == 1 then answer[1] = -1 end
answer[#answer + 1] = due
return answer`,

  /* KEYS claimed-by-this-node tries meta done doneBefore. ARGV how many to remember, entries. Returns { number, due }. */
  ack: `
local own, tries, meta, done, doneBefore = unpack(KEYS)
local overlapping = redis.call('HGET', meta, 'overlapping')
local number = 0
for i = 4, #ARGV do
  local entry = ARGV[i]
  if redis.call('ZSCORE', own, entry) then
    if overlapping then redis.call('SADD', done, entry) end
    drop(entry)
    redis.call('ZREM', own, entry)
    redis.call('HDEL', tries, entry)
    number = number + 1
  end
end
if overlapping and number > 0 then
  if redis.call('SCARD', done) >= tonumber(ARGV[3]) then redis.call('RENAME', done, doneBefore) end
  redis.call('EXPIRE', done, 600)
  redis.call('EXPIRE', doneBefore, 600)
end
return { number, due }`,

  /* KEYS list claimed-by-this-node tries. ARGV channel, group, '1' to count as delivered, entries in order. Returns their number. */
  release: `
local list, own, tries = unpack(KEYS)
local entries = {}
for i = #ARGV, 6, -1 do
  if redis.call('ZSCORE', own, ARGV[i]) then entries[#entries + 1] = ARGV[i] end
end
giveBack(list, own, entries)
if ARGV[5] == '1' then for _, entry in ipairs(entries) do redis.call('HINCRBY', tries, entry, 1) end end
if #entries > 0 then redis.call('PUBLISH', ARGV[3], ARGV[4]) end
return #entries`,

  /* KEYS claimed-by-this-node parked topics. ARGV channel, group, [entry, topic]... Returns their number. */
  park: `
local own, parked, topics = unpack(KEYS)
local number = 0
for i = 5, #ARGV, 2 do
  local score = redis.call('ZSCORE', own, ARGV[i])
  if score then
    redis.call('HSET', topics, ARGV[i], ARGV[i + 1])
    redis.call('ZADD', parked, score, ARGV[i])
    redis.call('ZREM', own, ARGV[i])
    number = number + 1
  end
end
if number > 0 then redis.call('PUBLISH', ARGV[3], ARGV[4]) end
return number`,

  /* KEYS parked topics. ARGV score to begin behind, how many. Returns { next score or '', [entry, topic]... }. */
  parked: `
local found = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. ARGV[3], '+inf', 'WITHSCORES', 'LIMIT', 0, ARGV[4])
local answer = { #found == 2 * tonumber(ARGV[4]) and found[#found] or '' }
for i = 1, #found, 2 do
  answer[#answer + 1] = found[i]
  answer[#answer + 1] = redis.call('HGET', KEYS[2], found[i]) or ''
end
return answer`,

  /* KEYS claimed-by-this-node parked topics tries holders. ARGV node, entries. Returns like `claim`. */
  unpark: `
local own, parked, topics, tries, holders = unpack(KEYS)
local answer = { 0 }
redis.call('SADD', holders, ARGV[3])
for i = 4, #ARGV do
  local entry = ARGV[i]
  local score = redis.call('ZSCORE', parked, entry)
  if score then
    local packet = spread or redis.call('GET', prefix .. entry)
    if packet then
      redis.call('ZADD', own, score, entry)
      if not spread then answer[#answer + 1] = packet end
      answer[#answer + 1] = entry
      answer[#answer + 1] = redis.call('HGET', tries, entry) or '0'
    else
      drop(entry)
      redis.call('HDEL', tries, entry)
    end
    redis.call('ZREM', parked, entry)
    redis.call('HDEL', topics, entry)
  end
end
answer[#answer + 1] = due
return answer`,

  /*
   * Takes back what a node has in hand. KEYS list claimed-by-that-node tries holders meta. ARGV channel, group, '1' to
   * count as delivered, node. Returns how many it still has.
   */
  takeBack: `
local list, own, tries, holders, meta = unpack(KEYS)
local entries = redis.call('ZREVRANGE', own, 0, 4999)
giveBack(list, own, entries)
if ARGV[5] == '1' then for _, entry in ipairs(entries) do redis.call('HINCRBY', tries, entry, 1) end end
local left = redis.call('ZCARD', own)
if left == 0 then
  redis.call('SREM', holders, ARGV[6])
  redis.call('HDEL', meta, 'request:' .. ARGV[6], 'turn:' .. ARGV[6])
end
if #entries > 0 then redis.call('PUBLISH', ARGV[3], ARGV[4]) end
return left`
} as const

const bodies = { ...messageScripts, ...upkeepScripts, ...nodeScripts }

export type ScriptName = keyof typeof bodies

/**
 * All scripts.
 *
 * @param whenFull whether Redis (since 7) can be told to run them also when it is full: taking messages out is what
 * makes room
 */
export function scriptsFor (whenFull: boolean): Readonly<Record<ScriptName, Script>> {
  const head = whenFull ? '#!lua flags=allow-oom,allow-cross-slot-keys\n' : ''
  return Object.fromEntries(Object.entries(bodies).map(([name, body]) => {
    const lua = `${head}${prelude}${body}`
    return [name, { lua, sha: createHash('sha1').update(lua).digest('hex') }]
  })) as Record<ScriptName, Script>
}
