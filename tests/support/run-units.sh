#!/bin/sh
# Runs every test binary under a folder, several at a time (most of their time is waiting). Prints
# cmocka's closing lines, the whole output of those that fail, and a last line like
# "120 passed, 0 failed". UNIT_S: seconds a binary may take. UNIT_JOBS: how many run at once.
set -eu
dir=${1:?usage: run-units.sh DIR}
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
export results dir

# One binary: leaves "passed failed" in a file, and prints its output only when it failed.
run_one='
test=$1 name=$(echo "${1#"$dir"/}" | tr / .) status=0
timeout "${UNIT_S:-120}" "$test" >"$results/$name.out" 2>&1 || status=$?
good=$(sed -n "s/.*\[  PASSED  \] \([0-9]*\) test(s).*/\1/p" "$results/$name.out" | tail -n 1)
bad=$(sed -n "s/.*\[  FAILED  \] \([0-9]*\) test(s).*/\1/p" "$results/$name.out" | tail -n 1)
if [ "$status" -ne 0 ]; then
	cat "$results/$name.out"
	[ "${bad:-0}" -ne 0 ] || bad=1 # a crash or a time-out leaves no count
	echo "FAILED (exit status $status): $test"
else
	echo "${test#"$dir"/}: $(tail -n 1 "$results/$name.out")"
fi
echo "${good:-0} ${bad:-0}" >"$results/$name.count"'
find "$dir" -type f -perm -u+x -name 'test_*' | sort | xargs -P "${UNIT_JOBS:-4}" -n 1 sh -c "$run_one" run-one

cat "$results"/*.count 2>/dev/null |
	awk '{ passed += $1; failed += $2 }
	END { print passed + 0 " passed, " failed + 0 " failed"; exit !(failed == 0 && passed > 0) }'
