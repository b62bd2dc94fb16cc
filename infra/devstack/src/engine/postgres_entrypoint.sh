#!/bin/sh
# Works as the public image of PostgreSQL does: makes the cluster with its user and its database at the first
# start, then serves. Variables: POSTGRES_USER, POSTGRES_DB, POSTGRES_PASSWORD[_FILE].
set -eu

if [ "${1#-}" != "$1" ]; then
    set -- postgres "$@"
fi
if [ "$1" != postgres ]; then
    exec "$@"
fi
if [ "$(id -u)" = 0 ]; then
    mkdir -p "$PGDATA" /var/run/postgresql
    chown -R postgres "$PGDATA" /var/run/postgresql
    chmod 700 "$PGDATA"
    exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
fi
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    user=${POSTGRES_USER:-postgres}
    database=${POSTGRES_DB:-$user}
    passwords=/dev/shm/passwords.$$
    if [ -n "${POSTGRES_PASSWORD_FILE:-}" ]; then
        cat "$POSTGRES_PASSWORD_FILE" > "$passwords"
    else
        printf '%s\n' "${POSTGRES_PASSWORD:?}" > "$passwords"
    fi
    # shellcheck disable=SC2086 # several options
    initdb --username="$user" --pwfile="$passwords" --auth-local=trust --auth-host=scram-sha-256 \
        --no-sync ${POSTGRES_INITDB_ARGS:-}
    rm "$passwords"
    echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
    echo "listen_addresses = '*'" >> "$PGDATA/postgresql.conf"
    if [ "$database" != postgres ]; then
        echo "create database \"$database\"" | postgres --single -j -D "$PGDATA" postgres > /dev/null
    fi
fi
exec "$@"
