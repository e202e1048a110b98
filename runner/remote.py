"""The numbers of the limits in a Redis, for many machines: one script there does what `bucket` does here."""

from __future__ import annotations

from .bucket import JUMP, SHARE, UNKNOWN
from .errors import CallError

SWIFT = 0.5  # seconds until a server that does not answer is given up
DAY = 86_400_000  # milliseconds, after which a server forgets


class LedgerError(Exception):
    """A ledger can't be read or written. Nobody but `ledger.Lasting` sees it."""


class Redis:
    """The numbers of many machines in one Redis, whose clock is that of all. It is only asked when it is needed."""

    def __init__(self, url: str) -> None:
        try:
            import redis
        except ImportError:
            raise CallError("limits in a Redis need its client", hint="pip install 'declarest[redis]'") from None
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        self._fault = redis.RedisError
        try:
            self._client = redis.Redis.from_url(
                url, socket_timeout=SWIFT, socket_connect_timeout=SWIFT, retry=Retry(NoBackoff(), 1)
            )
        except ValueError:  # its text may quote a part of the password
            raise CallError("the limits name no Redis", hint="write redis://host:port/0") from None
        self._script = self._client.register_script(_LUA)

    def turn(self, key: bytes, operation: str, now: float, *numbers: float, unless: bytes = b"") -> float:
        """As `Ledger.turn`, at the server's time instead of `now`. Raises LedgerError."""
        del now
        keys = [f"declarest:limit:{one.hex()}" for one in (key, unless) if one]
        try:
            return float(self._script(keys=keys, args=[operation, DAY, *map(repr, numbers)]))
        except self._fault as error:
            raise LedgerError(type(error).__name__) from None  # its text may hold the address with a password

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


# The operations of `bucket`, line by line: a test holds the two together.
_LUA = f"""
local JUMP, SHARE, UNKNOWN = {JUMP}, {SHARE}, {UNKNOWN}
if KEYS[2] and redis.call('EXISTS', KEYS[2]) == 1 then return tostring({UNKNOWN}) end
local kept, time = redis.call('GET', KEYS[1]), redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local a = {{}}
for i = 3, #ARGV do a[i - 2] = tonumber(ARGV[i]) end
local s = nil
if kept then
  s = {{}}
  for i = 1, #kept / 8 do s[i] = struct.unpack('<d', kept, i * 8 - 7) end
end
local max, min, floor = math.max, math.min, math.floor

local function bucket(step, slack)
  if not s then return now, 0, now end
  local since, count, seen = s[1], s[2], s[3]
  if now < seen - JUMP then since, seen = since + now - seen, now end
  if now >= since + slack + count * step then return now, 0, max(now, seen) end
  return since, count, max(now, seen)
end

local function window(long)
  if s and now - s[6] >= -JUMP and now - s[6] <= long then return s end
  return nil
end

local does = {{}}
function does.take(step, burst, slack, most, places)
  local since, count, seen = bucket(step, slack)
  if places and places > 1 and count + places - max(0, now - since - slack) / step <= burst / 2 then
    return {{since, count + places, seen}}, -places
  end
  local over, pause = count + 1 - burst, 0
  if over > 0 then pause = max(0, since + slack + over * step - now) end
  if pause > most then return s, pause end
  return {{since, count + 1, seen}}, pause
end
function does.fill(step, burst, slack, told)
  local since, count, seen = bucket(step, slack)
  local level = count - max(0, now - since - slack) / step
  return {{now + min(told, slack + step) - slack - step, max(level, burst), seen}}, 0
end
function does.free(step, burst, slack)
  local since, count = bucket(step, slack)
  return s, max(0, floor(burst - count + max(0, now - since - slack) / step))
end
function does.opened()
  return s, s and s[2] == 1 and s[1] or UNKNOWN
end
function does.delay(since, seconds)
  if not s or s[1] ~= since then return s, 0 end
  return {{since + seconds, s[2], s[3]}}, 0
end

function does.spend(used, before, till, cap, long)
  local last, ending, cost, _, following = unpack(window(long) or {{before, 0, 0, 0, now, now}})
  if till < ending or (till == ending and used < last) then return s, 0 end
  if last >= 0 and last < used then
    if cost > 0 then cost = (cost + used - last) / 2 else cost = used - last end
  end
  if used >= cap then return {{used, till, cost, max(cost, 1), max(following, till), now}}, 0 end
  local pace = 0
  if used >= SHARE * cap then pace = max(0, till - now) * cost / (cap - used) end
  if pace == 0 then following = now else following = min(following, now + max(0, till - now)) end
  return {{used, till, cost, pace, following, now}}, 0
end

function does.hold(calls, long, most)
  local kept = window(long)
  if not kept then return s, 0 end
  local used, till, cost, pace, following, seen = unpack(kept)
  local start = max(following, now)
  local pause = min(start - now, long)
  if pause > most then return s, pause end
  return {{used, till, cost, pace, start + calls * pace, seen}}, pause
end

function does.block(till, cap, long)
  local used, ending, cost, _, following = unpack(window(long) or {{cap, 0, 0, 0, now, now}})
  if till == UNKNOWN then
    if ending > now then till = ending else till = now + long / 10 end
  end
  return {{max(used, cap), till, cost, max(cost, 1), max(following, till), now}}, 0
end
function does.due(long)
  local kept = window(long)
  return s, kept and min(max(0, kept[5] - now), long) or 0
end
function does.pace(long)
  local kept = window(long)
  return s, kept and kept[4] or 0
end

local new, answer = does[ARGV[1]](unpack(a))
if new and new ~= s then
  local packed = ''
  for i = 1, #new do packed = packed .. struct.pack('<d', new[i]) end
  redis.call('SET', KEYS[1], packed, 'PX', ARGV[2])
end
return string.format('%.17g', answer)
"""
