#!lua flags=allow-oom
-- rest: a site could not be reached. take grants no connection to it for a while, longer with each failure in a row.
-- KEYS 1 partition root. spread: a random number 0-999. code: of the server's reply, or 0. text: the reason.
--@include base
--@args site first_ms:number longest_ms:number spread:number code:number text
-- Run again, or called by others while the site rests: the same reply, nothing changes.
--@returns until_ms failures
local FORGET_MS = 600000                       -- a failure this long after a rest counts as the first one
local until_ms, failures = match(call('GET', key_rest(site)) or '0 0 ', '^(%d+) (%d+) ')
until_ms, failures = tonumber(until_ms), tonumber(failures)
if until_ms > now_ms then return { until_ms, failures } end
local rest_ms = floor(min(first_ms * 2 ^ failures, longest_ms) * (750 + spread / 2) / 1000)
until_ms, failures = now_ms + rest_ms, failures + 1
local rest = digits(until_ms) .. ' ' .. failures .. ' ' .. digits(code) .. ' ' .. gsub(text, '%c', ' ')
call('SET', key_rest(site), rest, 'PX', digits(rest_ms + FORGET_MS))
return { until_ms, failures }
