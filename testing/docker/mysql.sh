#!/bin/sh
# As in the official images of MySQL and MariaDB: creates users and a database from MARIADB_* or MYSQL_*
# variables in an empty data directory.
set -e
ROOT_PASSWORD=${MARIADB_ROOT_PASSWORD:-$MYSQL_ROOT_PASSWORD}
ALLOW_EMPTY=${MARIADB_ALLOW_EMPTY_ROOT_PASSWORD:-$MYSQL_ALLOW_EMPTY_PASSWORD}
USER_NAME=${MARIADB_USER:-$MYSQL_USER}
USER_PASSWORD=${MARIADB_PASSWORD:-$MYSQL_PASSWORD}
DATABASE=${MARIADB_DATABASE:-$MYSQL_DATABASE}
case "${1-}" in -* | mysqld) [ "$1" = mysqld ] && shift; set -- mariadbd "$@" ;; esac
if [ "$1" = mariadbd ]; then
    if [ ! -d /var/lib/mysql/mysql ]; then
        if [ -z "$ROOT_PASSWORD$ALLOW_EMPTY" ]; then
            echo "Database is uninitialized and password option is not specified" >&2
            exit 1
        fi
        mariadb-install-db --auth-root-authentication-method=normal --skip-test-db \
            --datadir=/var/lib/mysql > /dev/null
        {
            echo "ALTER USER root@localhost IDENTIFIED BY '$ROOT_PASSWORD';"
            echo "CREATE USER root@'%' IDENTIFIED BY '$ROOT_PASSWORD';"
            echo "GRANT ALL ON *.* TO root@'%' WITH GRANT OPTION;"
            [ -z "$DATABASE" ] || echo "CREATE DATABASE \`$DATABASE\`;"
            if [ -n "$USER_NAME" ]; then
                echo "CREATE USER '$USER_NAME'@'%' IDENTIFIED BY '$USER_PASSWORD';"
                [ -z "$DATABASE" ] || echo "GRANT ALL ON \`$DATABASE\`.* TO '$USER_NAME'@'%';"
            fi
        } > /tmp/init.sql
        set -- "$@" --init-file=/tmp/init.sql
    fi
    shift
    set -- mariadbd --no-defaults --datadir=/var/lib/mysql --socket=/run/mysqld/mysqld.sock \
        --bind-address=0.0.0.0 --innodb-flush-method=fsync "$@"
fi
exec "$@"
