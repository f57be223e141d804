#!/usr/bin/env bash
# Unpack Debian packages, and what they need that is not installed, below PREFIX: for tests that want real daemons.
# Nothing is installed, configured or started; no root needed. A second call does nothing; PREFIX is whole or not there.
#
#     tests/daemons.sh PREFIX PACKAGE ...
set -euo pipefail
if [ $# -lt 2 ]; then
    echo "daemons.sh: expected PREFIX PACKAGE ..., got ${*:-nothing}" >&2
    exit 2
fi
prefix="$(realpath -m "$1")" && shift
for tool in apt-get dpkg-deb flock timeout; do
    command -v "$tool" >/dev/null || { echo "daemons.sh: $tool is missing: only Debian's packages are known" >&2; exit 1; }
done

wanted="$(cksum < "${BASH_SOURCE[0]}") $prefix $*"
there() { [ "$(cat "$prefix/unpacked" 2>/dev/null || true)" = "$wanted" ]; }
if there; then exit 0; fi

mkdir -p "$(dirname "$prefix")"
exec 9> "$prefix.lock"
flock 9
if there; then exit 0; fi

new="$prefix.new"
rm -rf "$prefix" "$new"
trap 'rm -rf "$new"' EXIT
mkdir -p "$new"/apt/{cache/archives,lists}/partial "$new/root"
apt=(timeout 120 apt-get -qq -o Debug::NoLocking=1 -o APT::Sandbox::User= -o "Dir::Cache=$new/apt/cache")
fetch=(install --download-only --yes --no-install-recommends --no-upgrade)
if ! "${apt[@]}" "${fetch[@]}" "$@" 2> "$new/first"; then  # no lists yet, or lists of packages that are gone
    apt+=(-o "Dir::State::lists=$new/apt/lists")
    "${apt[@]}" update >/dev/null 2>&1 || true  # a foreign source may fail; what follows tells
    "${apt[@]}" "${fetch[@]}" "$@" || { cat "$new/first" >&2; exit 1; }
fi
for package in "$new"/apt/cache/archives/*.deb; do
    if [ -e "$package" ]; then dpkg-deb --extract "$package" "$new/root"; fi
done

erl="$new/root/usr/lib/erlang/bin/erl"  # the one script that names its own place
if [ -e "$erl" ]; then
    place="$(printf %q "$prefix" | sed 's/[\\&|]/\\&/g')"  # as a word of the shell, and as sed writes it
    sed -i "s|=/usr/lib/erlang|=$place/usr/lib/erlang|" "$erl"
fi

echo "$wanted" > "$new/root/unpacked"
mv "$new/root" "$prefix"
