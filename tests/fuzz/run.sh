#!/bin/sh
# Builds every tests/fuzz/fuzz_*.c with libFuzzer, ASan and UBSan, against all of Postern built the
# same way, and runs each for $1 seconds (default 30).
# What a run finds goes to build/fuzz/; the corpus in tests/fuzz/corpus/<name>/ is only read.
set -eu
cd "$(dirname "$0")/../.."
seconds=${1:-30}
out=build/fuzz
cc=${FUZZ_CC:-clang}
sanitize="-O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined"
failed=

make -s -j"$(nproc)" B="$out/product" CC="$cc" WARN=-Wall MODE="$sanitize -fsanitize=fuzzer-no-link" archives
for source in tests/fuzz/fuzz_*.c; do
	name=$(basename "$source" .c)
	name=${name#fuzz_}
	mkdir -p "$out/$name" "tests/fuzz/corpus/$name"
	echo "fuzz $name: $seconds s"
	make -s B="$out/product" CC="$cc" WARN=-Wall MODE="$sanitize -fsanitize=fuzzer" "$out/product/fuzz/fuzz_$name"
	if ! "$out/product/fuzz/fuzz_$name" -max_total_time="$seconds" -timeout=25 -rss_limit_mb=2048 \
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
