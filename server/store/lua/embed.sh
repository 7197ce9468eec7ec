#!/bin/sh
# embed.sh FILE.lua...: prints a C header with each transition as one string; `--@include NAME` lines
# are replaced by NAME.lua of the same folder. Files without a shebang are parts, not transitions.
set -eu
echo "/* made by server/store/lua/embed.sh */"
echo "static const struct { const char *name; const char *text; } lua_sources[] = {"
for file in "$@"; do
	head -c 2 "$file" | grep -q '^#!' || continue
	echo "	{\"$(basename "$file" .lua)\","
	sh "$(dirname "$0")/expand.sh" "$file" | sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/	"/' -e 's/$/\\n"/'
	echo "	},"
done
echo "};"
