#!/bin/sh
# As in the official images of MySQL and MariaDB: creates users and a database from MYSQL_* variables
# in an empty data directory.
set -e
case "${1-}" in -* | mysqld) [ "$1" = mysqld ] && shift; set -- mariadbd "$@" ;; esac
if [ "$1" = mariadbd ]; then
    if [ ! -d /var/lib/mysql/mysql ]; then
        if [ -z "$MYSQL_ROOT_PASSWORD$MYSQL_ALLOW_EMPTY_PASSWORD" ]; then
            echo "Database is uninitialized and password option is not specified" >&2
            exit 1
        fi
        mariadb-install-db --auth-root-authentication-method=normal --skip-test-db \
            --datadir=/var/lib/mysql > /dev/null
        {
            echo "ALTER USER root@localhost IDENTIFIED BY '$MYSQL_ROOT_PASSWORD';"
            echo "CREATE USER root@'%' IDENTIFIED BY '$MYSQL_ROOT_PASSWORD';"
            echo "GRANT ALL ON *.* TO root@'%' WITH GRANT OPTION;"
            [ -z "$MYSQL_DATABASE" ] || echo "CREATE DATABASE \`$MYSQL_DATABASE\`;"
            if [ -n "$MYSQL_USER" ]; then
                echo "CREATE USER '$MYSQL_USER'@'%' IDENTIFIED BY '$MYSQL_PASSWORD';"
                [ -z "$MYSQL_DATABASE" ] || echo "GRANT ALL ON \`$MYSQL_DATABASE\`.* TO '$MYSQL_USER'@'%';"
            fi
        } > /tmp/init.sql
        set -- "$@" --init-file=/tmp/init.sql
    fi
    shift
    set -- mariadbd --no-defaults --datadir=/var/lib/mysql --socket=/run/mysqld/mysqld.sock \
        --bind-address=0.0.0.0 --innodb-flush-method=fsync "$@"
fi
exec "$@"
