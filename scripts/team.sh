#!/usr/bin/env bash
# Runs what docker-compose.yml runs, without containers: PostgreSQL in a local folder, and the server on it.
# Ctrl-C stops both. Folder, port and token: TEAM_DATA, TEAM_PORT, TRAINVITALS_TOKEN.
set -euo pipefail
cd "$(dirname "$0")/.."

DATA=$(realpath -m "${TEAM_DATA:-artefacts/team}")
PORT=${TEAM_PORT:-7360}
CLUSTER=$DATA/postgres
SOCKETS=$DATA/sockets

say() { printf '\033[1mteam:\033[0m %s\n' "$*"; }
fail() { printf 'team: %s\n' "$*" >&2; exit 1; }

postgres_bin() {
    local found
    found=$(compgen -G '/usr/lib/postgresql/*/bin/initdb' | sort -V | tail -1 || true)
    [ -n "$found" ] || found=$(command -v initdb || true)
    [ -n "$found" ] || fail "PostgreSQL is not installed: run 'make setup'"
    dirname "$found"
}

# PostgreSQL refuses to run as root, so root hands it to the user that its package made.
as_owner() {
    if [ "$(id -u)" = 0 ]; then
        (cd / && exec setpriv --reuid=postgres --regid=postgres --init-groups "$@")
    else
        "$@"
    fi
}

create_cluster() {
    [ -f "$CLUSTER/PG_VERSION" ] && return 0
    say "creating a PostgreSQL cluster in $CLUSTER"
    mkdir -p "$CLUSTER" "$SOCKETS"
    chmod 700 "$CLUSTER"
    if [ "$(id -u)" = 0 ]; then chown postgres: "$CLUSTER" "$SOCKETS"; fi
    as_owner test -w "$CLUSTER" || fail "the user postgres cannot reach $CLUSTER: choose another folder with TEAM_DATA"
    as_owner "$BIN/initdb" -D "$CLUSTER" -U trainvitals --auth=trust --encoding=UTF8 --locale=C >/dev/null
}

start_postgres() {
    as_owner "$BIN/pg_ctl" -D "$CLUSTER" -w -s -l "$CLUSTER/server.log" -o "-c listen_addresses='' -k '$SOCKETS'" start
    trap stop EXIT
    say "PostgreSQL runs, on a socket in $SOCKETS"
    "$BIN/psql" -h "$SOCKETS" -U trainvitals -d postgres -tAc "select 1 from pg_database where datname='trainvitals'" |
        grep -q 1 || "$BIN/createdb" -h "$SOCKETS" -U trainvitals trainvitals
}

stop() {
    trap - EXIT INT TERM
    if [ -n "${SERVER:-}" ]; then
        kill -INT "$SERVER" 2>/dev/null || true
        wait "$SERVER" || true
    fi
    as_owner "$BIN/pg_ctl" -D "$CLUSTER" -s -m fast stop || true
    say "stopped"
}

BIN=$(postgres_bin)
SERVER=
create_cluster
start_postgres
trap 'stop; exit 0' INT TERM
.venv/bin/trainvitals serve --port "$PORT" --data "$DATA/server" \
    --database "postgresql://trainvitals@/trainvitals?host=$SOCKETS" &
SERVER=$!
wait "$SERVER"
