#!/bin/sh
# Makes the secrets of a deployment, once. `docker compose up` and `kubectl apply -k` read them from .env in this folder.
set -eu
cd "$(dirname "$0")"
if [ -e .env ]; then
  echo "compose/.env exists already; remove it to make new secrets" >&2
  exit 1
fi
random() { od -An -N16 -tx1 /dev/urandom | tr -d ' \n'; }
token=$(random) redis=$(random)
if [ "${#token}${#redis}" != 3232 ]; then
  echo "/dev/urandom gave no random bytes" >&2
  exit 1
fi
umask 077
set -C # never overwrite a file that has appeared in the meantime
cat >.env <<END
# The token of the gateways and the password of Redis, made by make-secrets.sh. Keep this file secret.
CHATBENCH_TOKEN=$token
CHATBENCH_REDIS_PASSWORD=$redis
END
echo "compose/.env now has a token and a password for this deployment"
