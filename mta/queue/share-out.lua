-- One round trip of one instance: gives it its shares of the limits it names (share-exchange.ts says what goes in and
-- comes out). A limit is a hash: tokens, filled_at; version, pace, concurrency, rate of a pace; and an entry for each
-- instance that has mail for it, "allowed held at wants since". Times are those of Redis, in ms: all instances go by them.

local instance, slot_ms, kept_ms = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local own = 'i:' .. instance

local function read(key)
  local fields, flat = {}, redis.call('HGETALL', key)
  for index = 1, #flat, 2 do fields[flat[index]] = flat[index + 1] end
  return fields
end

-- Holds only while nobody else has changed the pace since.
local function agree(key, fields, request, reply)
  local version = tonumber(fields.version or '0')
  if request.pace and version == request.version then
    version = version + 1
    fields.pace, fields.concurrency, fields.rate = request.pace, request.concurrency, request.rate
    redis.call('HSET', key, 'version', version, 'pace', request.pace,
      'concurrency', request.concurrency, 'rate', request.rate)
    reply.accepted = true
  end
  reply.version = version
  if version > 0 then
    request.concurrency, request.rate = tonumber(fields.concurrency), tonumber(fields.rate)
    if version ~= request.version and not reply.accepted then reply.pace = fields.pace end
  end
end

local function grant_tokens(key, fields, request, reply)
  local rate = request.rate
  if not rate then return end
  local filled_at = math.min(now, tonumber(fields.filled_at or now))
  local burst = math.max(1, rate * request.burst_seconds)
  local tokens = tonumber(fields.tokens or '1') + request.returned + (now - filled_at) / 1000 * rate
  tokens = math.min(burst, tokens)
  reply.tokens = math.min(request.wanted, math.max(0, math.floor(tokens)))
  redis.call('HSET', key, 'tokens', tostring(tokens - reply.tokens), 'filled_at', now)
end

-- In equal parts among those that have mail for it. What an instance was allowed before counts as held until it has
-- said, one exchange later, what it made of it: together they never have more under way than the limit. Whoever has
-- nothing leaves it to those that have had nothing for longer, so that a limit of less than its instances goes round.
local function grant_slots(key, fields, request, reply)
  local others, active, before, since = 0, 1, 0, now
  local waiting = {}
  for field, entry in pairs(fields) do
    if string.sub(field, 1, 2) == 'i:' then
      local allowed, held, at, wants, had = string.match(entry, '^(%d+) (%d+) (%d+) (%d) (%d+)$')
      if field == own then
        before, since = tonumber(allowed), tonumber(had)
      elseif now - tonumber(at) > slot_ms then
        redis.call('HDEL', key, field)
      else
        others = others + tonumber(held)
        if wants == '1' then
          active = active + 1
          if tonumber(held) == 0 then table.insert(waiting, tonumber(had)) end
        end
      end
    end
  end
  local allowed = 0
  if request.wants_slots then
    local ahead = 0
    for _, had in ipairs(waiting) do
      if before > 0 or request.in_flight > 0 or had < since then ahead = ahead + 1 end
    end
    local free = request.concurrency - others - ahead
    allowed = math.max(0, math.min(math.ceil(request.concurrency / active), free))
  end
  reply.slots = allowed
  local held = math.max(request.in_flight, allowed, before)
  if held == 0 and not request.wants_slots then
    redis.call('HDEL', key, own)
  else
    local wants = request.wants_slots and 1 or 0
    if held > 0 then since = now end
    redis.call('HSET', key, own, string.format('%d %d %d %d %d', allowed, held, now, wants, since))
  end
end

redis.call('ZADD', KEYS[1], now, instance)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - kept_ms)
redis.call('PEXPIRE', KEYS[1], kept_ms)
local replies = {}
for index, request in ipairs(cjson.decode(ARGV[4])) do
  local key, reply = KEYS[index + 1], {}
  local fields = read(key)
  if request.version then agree(key, fields, request, reply) end
  grant_tokens(key, fields, request, reply)
  grant_slots(key, fields, request, reply)
  redis.call('PEXPIRE', key, 3600000)
  replies[index] = reply
end
return { now, redis.call('ZCARD', KEYS[1]), cjson.encode(replies) }
