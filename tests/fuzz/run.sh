#!/bin/sh
# Builds every tests/fuzz/fuzz_*.c with libFuzzer, ASan and UBSan and runs each for $1 seconds
# (default 30). A fuzz file names what it is compiled with in a comment near its top, which may go on
# over several lines:  /* needs: server/mail/address.c server/base/err.c */
# What a run finds goes to build/fuzz/; the corpus in tests/fuzz/corpus/<name>/ is only read.
set -eu
cd "$(dirname "$0")/../.."
seconds=${1:-30}
out=build/fuzz
cc=${FUZZ_CC:-clang}
flags="-std=c17 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined"
flags="$flags -I. -Ibuild/gen -D_POSIX_C_SOURCE=200809L -D_DEFAULT_SOURCE -DPOSTERN_VERSION=\"fuzz\""
libs=$(pkg-config --libs libcrypto libidn2 jansson libzstd libevent libcyaml yaml-0.1)
failed=

for source in tests/fuzz/fuzz_*.c; do
	name=$(basename "$source" .c)
	name=${name#fuzz_}
	needs=$(awk '/^\/\* needs:/ { on = 1 } on { print } on && /\*\// { exit }' "$source" |
		sed 's,^/\* needs:,,; s,\*/.*,,; s,^ \* , ,')
	mkdir -p "$out/$name" "tests/fuzz/corpus/$name"
	echo "fuzz $name: $seconds s"
	# shellcheck disable=SC2086
	$cc $flags -o "$out/fuzz_$name" "$source" $needs $libs
	if ! "$out/fuzz_$name" -max_total_time="$seconds" -timeout=25 -rss_limit_mb=2048 \
		-max_len=16384 -print_final_stats=0 -verbosity=0 -artifact_prefix="$out/$name-" \
		"$out/$name" "tests/fuzz/corpus/$name" >"$out/$name.log" 2>&1; then
		tail -40 "$out/$name.log"
		failed="$failed $name"
	fi
done

if [ -n "$failed" ]; then
	echo "fuzz: failed:$failed (inputs in $out/)"
	exit 1
fi
echo "fuzz: no crash"
