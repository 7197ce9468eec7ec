#!/bin/sh
# clang-tidy by .clang-tidy and cppcheck over the product's C, luacheck by .luacheckrc over the transitions of the store.
# FLAGS: the preprocessor's.
set -eu
cd "$(dirname "$0")/../.."
export FLAGS="${FLAGS:?the preprocessor flags}"
files=$(find server smtp api -name '*.c' | sort)

echo "clang-tidy: $(echo "$files" | wc -l) files"
# stderr has only "N warnings generated", which counts those of system headers.
echo "$files" | xargs -P 2 -n 1 sh -c '
	eval "set -- \"$1\" -- -std=c17 $FLAGS"
	err=$(mktemp)
	if ! clang-tidy --quiet "$@" 2>"$err"; then
		cat "$err" >&2
		status=1
	fi
	rm -f "$err"
	exit "${status:-0}"' tidy

# Two it gets wrong: LOG_S("name", "literal") is meant, and id_make fills id by a pointer into it.
echo "cppcheck"
# shellcheck disable=SC2086 # one word a file
cppcheck -q -j 2 --std=c11 --enable=warning,performance,portability --inline-suppr \
	--suppress=missingIncludeSystem --suppress=incorrectStringBooleanError \
	--suppress=uninitvar:server/base/id.c --error-exitcode=1 -I. $files

echo "luacheck"
transitions=$(mktemp -d)
trap 'rm -rf "$transitions"' EXIT
/usr/bin/python3 server/store/lua/generate.py check "$transitions"
luacheck -q --config .luacheckrc "$transitions"
echo "lint: clean"
