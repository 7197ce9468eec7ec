#!/bin/sh
# Runs every test binary under a folder; prints cmocka's closing lines, the whole output of those that
# fail, and a last line like "120 passed, 0 failed". UNIT_S: seconds a binary may take.
set -eu
dir=${1:?usage: run-units.sh DIR}
out=$(mktemp)
trap 'rm -f "$out"' EXIT
passed=0 failed=0

for test in $(find "$dir" -type f -perm -u+x -name 'test_*' | sort); do
	status=0
	timeout "${UNIT_S:-120}" "$test" >"$out" 2>&1 || status=$?
	good=$(sed -n 's/.*\[  PASSED  \] \([0-9]*\) test(s).*/\1/p' "$out" | tail -n 1)
	bad=$(sed -n 's/.*\[  FAILED  \] \([0-9]*\) test(s).*/\1/p' "$out" | tail -n 1)
	passed=$((passed + ${good:-0}))
	failed=$((failed + ${bad:-0}))
	if [ "$status" -ne 0 ]; then
		cat "$out"
		# A crash or a time-out leaves no count behind.
		[ "${bad:-0}" -ne 0 ] || failed=$((failed + 1))
		echo "FAILED (exit status $status): $test"
	else
		echo "${test#"$dir"/}: $(tail -n 1 "$out")"
	fi
done

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
