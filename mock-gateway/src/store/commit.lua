-- Writes one commit, if it is its writer's turn, and only once.
-- KEYS: the claim, the list of ended runs.
-- ARGV: the writer, the commit's number, how many ended runs are kept, what comes before a run's id in its key, and then
-- the commands, each after the number of its words.
local owner = redis.call('HGET', KEYS[1], 'owner')
if not owner then return 'LOST' end
if owner ~= ARGV[1] then return 'TAKEN' end
local number, last = tonumber(ARGV[2]), tonumber(redis.call('HGET', KEYS[1], 'commits'))
if last >= number then return 'HELD' end
if last < number - 1 then return 'LOST' end

local at = 5
while at <= #ARGV do
    local words = tonumber(ARGV[at])
    redis.call(unpack(ARGV, at + 1, at + words))
    at = at + words + 1
end
while redis.call('LLEN', KEYS[2]) > tonumber(ARGV[3]) do
    local run = ARGV[4] .. redis.call('LPOP', KEYS[2])
    redis.call('DEL', run, run .. ':logs')
end
redis.call('HSET', KEYS[1], 'commits', ARGV[2])
return 'HELD'
