#!/bin/sh
# As in the official image: creates a cluster from POSTGRES_USER, POSTGRES_PASSWORD, and POSTGRES_DB
# in an empty data directory, and runs the scripts in /docker-entrypoint-initdb.d.
set -e
case "${1-}" in -*) set -- postgres "$@" ;; esac
if [ "$1" = postgres ] && [ ! -s "$PGDATA/PG_VERSION" ]; then
    user=${POSTGRES_USER:-postgres} db=${POSTGRES_DB:-${POSTGRES_USER:-postgres}}
    method=${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}
    if [ -z "$POSTGRES_PASSWORD" ] && [ "$method" != trust ]; then
        echo "Error: Database is uninitialized and superuser password is not specified." >&2
        exit 1
    fi
    echo "${POSTGRES_PASSWORD:-none}" > /tmp/password
    initdb --username="$user" --pwfile=/tmp/password --auth-local=trust --auth-host="$method" \
        --no-sync --no-locale --encoding=UTF8 "$PGDATA"
    echo "host all all all $method" >> "$PGDATA/pg_hba.conf"
    echo "listen_addresses = '*'" >> "$PGDATA/postgresql.conf"
    if [ "$db" != postgres ]; then
        echo "CREATE DATABASE \"$db\"" | postgres --single -D "$PGDATA" postgres
    fi
    # Scripts run before the server accepts connections from outside.
    if [ -n "$(ls /docker-entrypoint-initdb.d/ 2> /dev/null)" ]; then
        pg_ctl --pgdata="$PGDATA" --options="-c listen_addresses=''" --wait --silent start
        export PGUSER="$user" PGDATABASE="$db" PGHOST=/var/run/postgresql
        for file in /docker-entrypoint-initdb.d/*; do
            case "$file" in
                *.sql) psql --no-psqlrc --set=ON_ERROR_STOP=1 --file="$file" ;;
                *.sh) if [ -x "$file" ]; then "$file"; else . "$file"; fi ;;
            esac
        done
        unset PGUSER PGDATABASE PGHOST
        pg_ctl --pgdata="$PGDATA" --mode=fast --wait --silent stop
    fi
fi
exec "$@"
