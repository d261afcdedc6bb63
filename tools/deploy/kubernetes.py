"""Generates Kubernetes manifests from the parts, for `kubectl apply -k compose`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from tools.deploy.parts import SECRETS_FILE, TOKEN, TOKEN_FILE, Part

NAMESPACE = "chatbench"
SECRET = "chatbench-secrets"  # noqa: S105 - the secret's name, not the secret
# With this label, Kubernetes refuses pods in this namespace that do not meet its restricted standard.
STRICT = {"pod-security.kubernetes.io/enforce": "restricted"}
DNS = {"ports": [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]}
RESOURCES = "kubernetes.yaml"


def kustomization(parts: Iterable[Part]) -> dict[str, Any]:
    """Return kustomization.yaml. It takes files and secrets from compose/, where make-secrets.sh must run first."""
    files = {part.name: sorted(set(part.files.values())) for part in parts if part.files}
    return {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": NAMESPACE,
        "resources": [RESOURCES],
        "configMapGenerator": [{"name": f"{name}-files", "files": paths} for name, paths in files.items()],
        "secretGenerator": [{"name": SECRET, "envs": [SECRETS_FILE]}],
    }


def manifests(parts: Iterable[Part]) -> Iterator[dict[str, Any]]:
    """Yield the namespace, its network policies, and each part's service and deployment."""
    parts = list(parts)
    yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": STRICT}}
    yield _default_deny()
    for part in parts:
        if part.ports:
            yield _service(part)
        yield _deployment(part)
        yield _allowed_calls(part, parts)


def _default_deny() -> dict[str, Any]:
    """Return the policy that denies all traffic of every pod in the namespace, except what other policies allow."""
    return _policy("nobody", {}, {"policyTypes": ["Ingress", "Egress"]})


def _allowed_calls(part: Part, parts: Iterable[Part]) -> dict[str, Any]:
    """Return the policy that allows the part's calls. `kubectl port-forward`, which people use, needs no policy."""
    ingress = [_rule("from", each, part, each.calls[part.name]) for each in parts if part.name in each.calls]
    egress = [_rule("to", each, each, part.calls[each.name]) for each in parts if each.name in part.calls]
    rules = {"policyTypes": ["Ingress", "Egress"], "ingress": ingress, "egress": [*egress, DNS] if egress else []}
    return _policy(part.name, {"matchLabels": _labels(part)}, rules)


def _policy(name: str, pods: dict[str, Any], rules: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name},
        "spec": {"podSelector": pods, **rules},
    }


def _rule(direction: str, other: Part, called: Part, ports: Iterable[str]) -> dict[str, Any]:
    numbers = {port.name: port.number for port in called.ports}
    return {
        direction: [{"podSelector": {"matchLabels": _labels(other)}}],
        "ports": [{"protocol": "TCP", "port": numbers[name]} for name in ports],
    }


def _labels(part: Part) -> dict[str, str]:
    return {"app.kubernetes.io/name": part.name, "app.kubernetes.io/part-of": "chatbench"}


def _service(part: Part) -> dict[str, Any]:
    """Return a headless service: as in compose, its name resolves to all pods, even before they are ready.

    Brokers must find each other before they can become ready, and Prometheus must find every gateway.
    """
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": part.name, "labels": _labels(part)},
        "spec": {
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": _labels(part),
            "ports": [{"name": port.name, "port": port.number} for port in part.ports],
        },
    }


def _deployment(part: Part) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": part.name, "labels": _labels(part)},
        "spec": {
            "replicas": part.count,
            "selector": {"matchLabels": _labels(part)},
            # A broker or a gateway must have ended before another takes its place.
            "strategy": {"type": "Recreate"},
            "template": {"metadata": {"labels": _labels(part)}, "spec": _pod(part)},
        },
    }


def _pod(part: Part) -> dict[str, Any]:
    return {
        "automountServiceAccountToken": False,
        # Kubernetes would set variables for every service in every container, and Kafka's image reads all KAFKA_*.
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": part.user,
            "fsGroup": part.user,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(part)],
        "volumes": list(_volumes(part)),
    }


def _container(part: Part) -> dict[str, Any]:
    container: dict[str, Any] = {
        "name": part.name,
        "image": part.image,
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "resources": {
            "requests": {"cpu": f"{1000 * part.share.cores:.0f}m", "memory": f"{part.share.memory_mib}Mi"},
            "limits": {"cpu": f"{1000 * part.share.cores_max:.0f}m", "memory": f"{part.share.memory_max_mib}Mi"},
        },
        "volumeMounts": list(_mounts(part)),
    }
    if part.command:
        container["args"] = list(part.command)
    environment: list[dict[str, Any]] = [
        {"name": name, "value": value} for name, value in (part.environment | part.chosen).items()
    ]
    environment += [
        {"name": name, "valueFrom": {"secretKeyRef": {"name": SECRET, "key": secret}}}
        for name, secret in part.secrets.items()
    ]
    if environment:
        container["env"] = environment
    if part.ports:
        container["ports"] = [{"name": port.name, "containerPort": port.number} for port in part.ports]
    if part.health:
        check = {"exec": {"command": list(part.health)}, "periodSeconds": 10, "timeoutSeconds": 5}
        container["readinessProbe"] = check
    return container


def _mounts(part: Part) -> Iterator[dict[str, Any]]:
    for path, file in part.files.items():
        yield {"name": "files", "mountPath": path, "subPath": file.rpartition("/")[2], "readOnly": True}
    if part.token_file:
        yield {"name": "token", "mountPath": TOKEN_FILE, "subPath": TOKEN, "readOnly": True}
    if part.data is not None:
        yield {"name": "data", "mountPath": part.data}
    for number, path in enumerate(part.scratch):
        yield {"name": f"scratch-{number}", "mountPath": path}


def _volumes(part: Part) -> Iterator[dict[str, Any]]:
    if part.files:
        yield {"name": "files", "configMap": {"name": f"{part.name}-files"}}
    if part.token_file:
        yield {"name": "token", "secret": {"secretName": SECRET, "items": [{"key": TOKEN, "path": TOKEN}]}}
    if part.data is not None:
        yield {"name": "data", "emptyDir": {}}  # a benchmark's data need not outlive its pod
    for number, _path in enumerate(part.scratch):
        yield {"name": f"scratch-{number}", "emptyDir": {}}
