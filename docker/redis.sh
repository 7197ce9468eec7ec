#!/bin/sh
# Starts the Redis of compose.yaml in the working directory. REDIS_PASSWORD: password of the user
# postern. REDIS_MAXMEMORY: like 1gb. Arguments are passed to redis-server.
set -eu
umask 077
here=$(cd "$(dirname "$0")" && pwd)

hash=$(printf %s "${REDIS_PASSWORD:?is not set}" | sha256sum | cut -d' ' -f1)
unset REDIS_PASSWORD
sed '/^#/d' "$here/users.acl" | tr -s '\n\t ' ' ' |
	sed -e "s/#PASSWORD_SHA256/#$hash/" -e 's/ user /\nuser /g' >users.acl
# If the log is damaged in another way, Redis decides whether it starts.
postern redis mend "$PWD/appendonlydir" || :
exec redis-server "$here/redis.conf" --aclfile "$PWD/users.acl" \
	--maxmemory "${REDIS_MAXMEMORY:-1gb}" "$@"
