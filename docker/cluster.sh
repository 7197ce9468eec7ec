#!/bin/sh
# Makes a cluster of the nodes of compose.cluster.yaml: three primaries, each with a replica. Does
# nothing if there is one. Arguments: the addresses of all nodes. REDIS_PASSWORD as in redis.sh.
set -eu
export REDISCLI_AUTH="${REDIS_PASSWORD:?is not set}"

for node in "$@"; do
	tries=0
	until redis-cli -e -h "${node%:*}" -p "${node#*:}" --user cluster ping >/dev/null 2>&1; do
		tries=$((tries + 1))
		if [ "$tries" -ge 60 ]; then
			echo "cluster.sh: $node does not respond to PING" >&2
			exit 1
		fi
		sleep 1
	done
done
if redis-cli -h "${1%:*}" -p "${1#*:}" --user cluster cluster info | grep -q '^cluster_slots_assigned:16384'; then
	echo "The cluster exists already."
	exit 0
fi
exec redis-cli --user cluster --cluster create "$@" --cluster-replicas 1 --cluster-yes
