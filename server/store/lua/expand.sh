#!/bin/sh
# expand.sh FILE.lua: prints a transition with its `--@include NAME` lines replaced by NAME.lua.
set -eu
dir=$(dirname "$1")
while IFS= read -r line || [ -n "$line" ]; do
	case "$line" in
	--@include*) cat "$dir/${line#--@include }.lua" ;;
	*) printf '%s\n' "$line" ;;
	esac
done <"$1"
