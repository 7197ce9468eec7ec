#!/bin/sh
# Installs the Debian 12 packages that Postern needs; does nothing when all are installed.
# install.sh run: to build and run it. install.sh test: for tests and checks, too. install.sh bench:
# for benchmarks, too. install.sh serve PACKAGE...: to run only a binary that was built elsewhere;
# `install.sh libraries FILE` prints there the packages of its libraries.
set -eu

serve="redis-server ca-certificates"
run="$serve gcc libc6-dev make pkg-config python3 python3-yaml
	libmicrohttpd-dev libgnutls28-dev libjansson-dev libssl-dev libhiredis-dev libcurl4-openssl-dev
	libevent-dev libunbound-dev
	libzstd-dev libidn2-dev libcyaml-dev libyaml-dev"
checks="clang clang-tidy clang-format libclang-rt-14-dev cppcheck lua-check libcmocka-dev postfix curl procps
	python3-pytest python3-pytest-xdist python3-venv python3-aiosmtpd python3-dkim python3-nacl python3-dnspython
	python3-jsonschema python3-yaml python3-redis python3-cryptography php-cli php-curl
	spamassassin rspamd"
# Not when they are installed from another source.
command -v npm >/dev/null || checks="$checks nodejs npm"
command -v go >/dev/null || checks="$checks golang-go"
command -v javac >/dev/null || checks="$checks default-jdk-headless"
command -v mvn >/dev/null || checks="$checks maven"

# The packages that own the shared libraries of a program. dpkg may know a path without its /usr.
libraries() {
	ldd "$1" | sed -n 's/.* => \(\/[^ ]*\) .*/\1/p' | while read -r library; do
		dpkg-query -S "$library" 2>/dev/null || dpkg-query -S "/usr$library" 2>/dev/null ||
			dpkg-query -S "${library#/usr}"
	done | cut -d: -f1 | sort -u
}

case "${1:-}" in
libraries)
	libraries "$2"
	exit
	;;
serve)
	shift
	wanted="$serve $*"
	;;
run) wanted=$run ;;
test) wanted="$run $checks" ;;
bench) wanted="$run $checks wrk" ;;
*)
	echo "usage: install.sh run|test|bench|serve PACKAGE...|libraries FILE" >&2
	exit 2
	;;
esac

missing=
for package in $wanted; do
	status=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
	[ "$status" = "install ok installed" ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
	echo "These Debian packages are missing:$missing" >&2
	echo "Install them as root: apt-get install --no-install-recommends$missing" >&2
	exit 1
fi

log=$(mktemp)
made=
trap 'rm -f "$log" $made' EXIT
trap 'exit 1' INT TERM

# Installed services must not start: Postern and its tests start their own.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
	made=$policy
	printf '#!/bin/sh\nexit 101\n' >$policy
	chmod 755 $policy
fi

export DEBIAN_FRONTEND=noninteractive
case " $missing " in
*" postfix "*) echo "postfix postfix/main_mailer_type select No configuration" | debconf-set-selections ;;
esac
echo "installing:$missing"
apt-get update -qq
# shellcheck disable=SC2086 # one word a package
apt-get install -qq -y --no-install-recommends $missing </dev/null >"$log" 2>&1 || {
	cat "$log" >&2
	exit 1
}
