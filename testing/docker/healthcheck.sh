#!/bin/sh
# As in the official image of MariaDB, with the option `--connect`: whether the server accepts connections.
exec mariadb-admin --no-defaults --protocol=tcp --host=127.0.0.1 ping
