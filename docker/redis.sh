#!/bin/sh
# Starts a Redis of compose.yaml or compose.cluster.yaml in the working directory. REDIS_PASSWORD:
# password of the user postern. REDIS_MAXMEMORY: like 1gb. REDIS_CLUSTER=yes: a node of a cluster.
# Arguments are passed to redis-server.
set -eu
umask 077
here=$(cd "$(dirname "$0")" && pwd)
lists=$here/users.acl

hash=$(printf %s "${REDIS_PASSWORD:?is not set}" | sha256sum | cut -d' ' -f1)
if [ "${REDIS_CLUSTER:-no}" = yes ]; then
	lists="$lists $here/cluster.acl"
	{
		cat "$here/cluster.conf"
		printf 'masterauth "%s"\n' "$REDIS_PASSWORD"
	} >cluster.conf
	set -- --include "$PWD/cluster.conf" "$@"
fi
unset REDIS_PASSWORD
# shellcheck disable=SC2086 # a list of files
sed '/^#/d' $lists | tr -s '\n\t ' ' ' |
	sed -e "s/#PASSWORD_SHA256/#$hash/g" -e 's/ user /\nuser /g' >users.acl
# If the log is damaged in another way, Redis decides whether it starts.
postern redis mend "$PWD/appendonlydir" || :
exec redis-server "$here/redis.conf" --aclfile "$PWD/users.acl" \
	--maxmemory "${REDIS_MAXMEMORY:-1gb}" "$@"
