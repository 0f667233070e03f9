#!/bin/sh
# Makes the passwords and keys of deploy/compose.yaml, once: what is there already stays.
set -eu
umask 022 # the containers' users read them through the mount; the folder keeps the host's other users out
deploy=$(cd "$(dirname "$0")/.." && pwd)
secrets=${1:-$deploy/secrets}
mkdir -p "$secrets"
chmod 700 "$secrets"

random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }
keep() { [ -s "$secrets/$1" ] || printf '%s' "$2" >"$secrets/$1"; }

for name in postgres_password temporal_password grafana_password signing_keys; do keep "$name" "$(random)"; done
for role in app relay owner; do
    case $role in app) name=database_url ;; *) name=database_${role}_url ;; esac
    keep "$name" "postgresql://helpdesk_$role:$(random)@postgres:5432/helpdesk"
done
env=$(dirname "$secrets")/.env
(umask 077 && printf 'TEMPORAL_PASSWORD=%s\n' "$(cat "$secrets/temporal_password")" >"$env")
