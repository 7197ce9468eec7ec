-- For the Lua transitions as Redis runs them: server/store/lua/generate.py writes them out, tests/support/lint.sh calls this.
std = "lua51"
read_globals = { "redis", "cjson", "KEYS", "ARGV" }
max_line_length = false                -- generate.py checks the lines as they were written
ignore = { "241/texts" }               -- the texts of records, which only some transitions read again
