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
generated='"(lua_(names|library|calls|keys)|openapi_text)\.h"'

# FOLDER: the folders that its files may include, besides itself and server/base.
while read -r folder allowed; do
	folder=${folder%:}
	[ -d "$folder" ] || continue
	pattern=$(echo "$folder server/base $allowed" | sed 's/  */|/g; s/|$//')
	find "$folder" -maxdepth 1 -name '*.[ch]' -exec grep -nHE "$own" {} + |
		grep -vE "\"($pattern)/[a-z0-9_]+\.h\"|$generated" |
		sed "s#\$#    <- $folder includes only: $folder server/base $allowed#" >>"$found" || true
done <<'RULES'
server/base:
server/config:
server/mail:
server/stream:
server/redis/link: server/stream server/config
server/redis: server/redis/link server/stream server/config
server/store/messages: server/redis server/redis/link server/config
server/store/queue: server/store/messages server/redis server/redis/link server/config
server/store/projects: server/store/messages server/redis server/redis/link server/config
server/route: server/config
server/fetch: server/route server/mail
server/events: server/route server/store/messages
server/hooks: server/events server/fetch server/store/projects server/store/messages server/redis server/config server/role
server/keeper: server/store/queue server/store/projects server/redis server/redis/link server/config server/role
server/role: server/redis server/config
server/supervisor: api api/http smtp/relay smtp/journal server/hooks server/keeper server/role server/mail server/route server/redis server/redis/link server/stream server/config
server/cli: server/supervisor server/store/projects server/store/messages server/redis server/redis/link server/stream server/config
smtp/client: server/route server/stream
smtp: server/store/projects
smtp/journal:
smtp/limits:
smtp/relay: smtp/journal smtp/limits smtp/client smtp server/stream server/route server/mail server/store/queue server/store/messages server/redis server/config server/role
api/json:
api/wire: api/json
api/send: api/json server/store/queue server/mail server/config
api/http: api/wire api/json server/store/projects server/config
api/messages: api api/send api/http api/wire api/json server/events server/store/queue server/store/messages server/redis server/mail server/config
api: api/messages api/send api/http api/wire api/json server/events server/fetch server/store/queue server/store/projects server/store/messages server/redis server/mail server/config server/role
RULES

forbid "${own}smtp/" "api never includes smtp" api
forbid "${own}api/" "smtp never includes api" smtp
forbid_except "${own}(api|smtp|server/cli|server/supervisor)/" "only server/cli and server/supervisor include api and smtp" \
	'server/main\.c|server/cli/|server/supervisor/|api/|smtp/'
forbid "${own}server/(cli|supervisor|main)" "api and smtp include neither cli nor supervisor" api smtp

forbid_except '\bredisReply\b|<hiredis/' "replies of hiredis stay in server/redis: resp.h reads them" \
	'server/redis/'
forbid '\bredisAsync|<hiredis/async' "pipeline.c is our connection to Redis: Debian's hiredis has no TLS" server smtp api
forbid_except '\bgnutls_|<gnutls/' "gnutls stays in api/http" 'api/http/'
forbid_except '\bMHD_|<microhttpd\.h>' "libmicrohttpd stays in api/http" 'api/http/'
forbid_except '\bub_[a-z]|<unbound' "libunbound stays in server/route" 'server/route/'
forbid_except '\bCURL|<curl/' "libcurl stays in server/fetch" 'server/fetch/'
forbid_except '\bSSL_[a-z]|<openssl/ssl\.h>' "TLS sockets stay in server/stream" \
	'server/stream/'
find server smtp api -name '*.[ch]' -exec grep -nHE "${own}[^\"/]*\"" {} + |
	grep -vE "$generated" |
	sed 's|$|    <- includes are relative to the root|' >>"$found" || true

forbid_except '"lua_(calls|keys)\.h"' "transitions are called and keys are named in the store, its client and its keeper" \
	'server/redis/|server/store/|server/keeper/'

if [ -s "$found" ]; then
	cat "$found"
	exit 1
fi
echo "layers: clean"
