#!/bin/sh
# As in the official image: options alone are options of the server, which clients can reach without a
# password.
case "${1-}" in -* | *.conf) set -- redis-server "$@" ;; esac
[ "$1" = redis-server ] && set -- "$@" --protected-mode no
exec "$@"
