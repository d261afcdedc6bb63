#!/bin/sh
# The secrets of a deployment, made once. `docker compose up` and `kubectl apply -k` both read them from .env here.
set -eu
cd "$(dirname "$0")"
if [ -e .env ]; then
  echo "compose/.env is there already; remove it to have other secrets" >&2
  exit 1
fi
random() { od -An -N16 -tx1 /dev/urandom | tr -d ' \n'; }
token=$(random) redis=$(random)
if [ "${#token}${#redis}" != 3232 ]; then
  echo "no random bytes can be had of /dev/urandom here" >&2
  exit 1
fi
umask 077
set -C # whatever is there by now is not written to
cat >.env <<END
# What gateways ask of everybody who connects, and what Redis does. Made by make-secrets.sh; nobody else needs to know.
CHATBENCH_TOKEN=$token
CHATBENCH_REDIS_PASSWORD=$redis
END
echo "compose/.env has a token and a password, for this deployment alone"
