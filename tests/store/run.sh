#!/bin/sh
# run.sh: the store's transitions by random steps, by seeded bugs, and one by one. Ends with `N passed, N failed`.
# PROP_STEPS steps a seed (30000), PROP_SEED (from the clock), PROP_FULL=1: all seeded bugs instead of four.
set -u
cd "$(dirname "$0")" || exit 1
seed=${PROP_SEED:-$(date +%s)}
steps=${PROP_STEPS:-30000}
python=/usr/bin/python3
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
trap 'kill $(jobs -p) 2>/dev/null; exit 143' INT TERM
bugs=4
[ "${PROP_FULL:-0}" = 1 ] && bugs=all

{
	$python prop.py "$seed" "$steps"
	$python test_edges.py
	$python test_suppression_sync.py
	$python test_inbox.py
} >"$out/1" 2>&1 &
one=$!
{
	$python prop.py $((seed + 1)) "$steps" --cluster
	$python test_fairness.py
	$python prop.py "$seed" --bugs $bugs
} >"$out/2" 2>&1 &
two=$!
wait $one
wait $two
cat "$out/1" "$out/2"
passed=$(cat "$out/1" "$out/2" | grep -c '^ok ')
failed=$(cat "$out/1" "$out/2" | grep -cE '^(FAILED|Traceback)')
# A part that died without output counts as failed.
[ "$(cat "$out/1" "$out/2" | grep -cE '^(ok|FAILED) seed ')" -eq 2 ] || failed=$((failed + 1))
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
