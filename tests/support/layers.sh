#!/bin/sh
# Who may include whom: the rules of ARCHITECTURE.md, held against the #include lines and, for the
# vendors' types, against the words themselves. Prints each violation; exit status 1 if there is one.
set -eu
cd "$(dirname "$0")/../.."
found=$(mktemp)
trap 'rm -f "$found"' EXIT

# forbid PATTERN WHY PATH...: no line in the C files under the paths may match.
forbid() {
	pattern=$1 why=$2
	shift 2
	for path in "$@"; do
		[ -e "$path" ] || continue
		find "$path" -name '*.[ch]' -exec grep -nHE "$pattern" {} + | sed "s|\$|    <- $why|" || true
	done >>"$found"
}

# forbid_except PATTERN WHY ALLOWED: none in server/, smtp/, api/ but where ALLOWED (a pattern) says.
forbid_except() {
	find server smtp api -name '*.[ch]' | grep -vE "^($3)" | xargs -r grep -nHE "$1" |
		sed "s|\$|    <- $2|" >>"$found" || true
}

own='^[[:space:]]*#[[:space:]]*include[[:space:]]*"'
find server/base -name '*.[ch]' -exec grep -nHE "$own" {} + | grep -vE '"server/base/' |
	sed 's|$|    <- server/base includes only itself|' >>"$found" || true
for rule in "server/mail:server/(mail|base)" "server/store:server/(store|mail|base)" \
	"server/route:server/(route|base)" "server/fetch:server/(fetch|route|base)" \
	"server/hooks:server/(hooks|fetch|store|mail|base)"; do
	dir=${rule%%:*} allowed=${rule#*:}
	[ -d "$dir" ] || continue
	find "$dir" -name '*.[ch]' -exec grep -nHE "$own" {} + |
		grep -vE "\"$allowed/|\"lua_sources\.h\"" |
		sed "s#\$#    <- $dir includes only $allowed#" >>"$found" || true
done
forbid "${own}smtp/" "api never includes smtp" api
forbid "${own}api/" "smtp never includes api" smtp
forbid_except "${own}(api|smtp|server/cli)/" "only the front door includes the doors" \
	'server/main\.c|server/cli/|api/|smtp/'
forbid "${own}server/(cli|main)" "nobody includes the front door" api smtp

forbid_except '\bredisReply\b|\bredisAsync|<hiredis/' "Redis stays in server/store" 'server/store/'
forbid_except '\bMHD_|<microhttpd\.h>' "libmicrohttpd stays in api/http" 'api/http/'
forbid_except '\bub_[a-z]|<unbound' "libunbound stays in server/route" 'server/route/'
forbid_except '\bCURL|<curl/' "libcurl stays in server/fetch" 'server/fetch/'
forbid_except '\bSSL_[a-z]|<openssl/ssl\.h>' "TLS sockets stay in smtp" \
	'smtp/(link|tls|connection)[a-z_]*\.[ch]|api/http/'
find server smtp api -name '*.[ch]' -exec grep -nHE "${own}[^\"/]*\"" {} + |
	grep -vE '"(lua_sources|openapi_text)\.h"' |
	sed 's|$|    <- includes are relative to the root|' >>"$found" || true

if [ -s "$found" ]; then
	cat "$found"
	exit 1
fi
echo "layers: clean"
