#!/usr/bin/env bash
# Unpacks Debian's nginx with its Lua module below build/peers/nginx-root. Nothing is
# installed: lua-resty-core wants libluajit2, which conflicts with the LuaJIT that
# moonhook is built with. Needs apt's package lists, not root.
set -euo pipefail

PACKAGES="nginx libnginx-mod-http-lua libnginx-mod-http-ndk lua-resty-core lua-resty-lrucache
          lua-nginx-redis lua-cjson libluajit2-5.1-2 libpcre3"

target=$(realpath -m "${1:-$(dirname "$0")/../../build/peers/nginx-root}")
[ -e "$target/complete" ] && exit 0

packages=$(mktemp -d); trap 'rm -rf "$packages"' EXIT
chmod 755 "$packages"
(cd "$packages" && apt-get download -q $PACKAGES)
rm -rf "$target"; mkdir -p "$target"
for package in "$packages"/*.deb; do dpkg-deb -x "$package" "$target"; done
touch "$target/complete"
