"""Kubernetes manifests, made of the parts: for `kubectl apply -k compose`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from harness.deployment.parts import TOKEN, TOKEN_FILE, Part

NAMESPACE = "chatbench"
SECRET = "chatbench-token"  # noqa: S105 - its name
RESOURCES = "kubernetes.yaml"


def kustomization(parts: Iterable[Part]) -> dict[str, Any]:
    """The namespace's files and its token come from compose/ as they are, so that nothing stands twice."""
    files = {part.name: sorted(set(part.files.values())) for part in parts if part.files}
    return {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": NAMESPACE,
        "resources": [RESOURCES],
        "configMapGenerator": [{"name": f"{name}-files", "files": given} for name, given in files.items()],
        "secretGenerator": [{"name": SECRET, "envs": [".env"]}],
    }


def manifests(parts: Iterable[Part]) -> Iterator[dict[str, Any]]:
    yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    for part in parts:
        if part.ports:
            yield _service(part)
        yield _deployment(part)


def _labels(part: Part) -> dict[str, str]:
    return {"app.kubernetes.io/name": part.name, "app.kubernetes.io/part-of": "chatbench"}


def _service(part: Part) -> dict[str, Any]:
    """Without an address of its own: its name stands for its pods, as in compose, and also before they are ready.

    Brokers must find each other to become ready, and Prometheus every gateway and not one of them.
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
            # A broker or a gateway must be gone before another takes its place.
            "strategy": {"type": "Recreate"},
            "template": {"metadata": {"labels": _labels(part)}, "spec": _pod(part)},
        },
    }


def _pod(part: Part) -> dict[str, Any]:
    return {
        "automountServiceAccountToken": False,
        # Kubernetes would tell every container of every service in variables, and Kafka's image reads all KAFKA_*.
        "enableServiceLinks": False,
        "securityContext": {"runAsNonRoot": True, "runAsUser": part.user, "fsGroup": part.user},
        "containers": [_container(part)],
        "volumes": list(_volumes(part)),
    }


def _container(part: Part) -> dict[str, Any]:
    container: dict[str, Any] = {
        "name": part.name,
        "image": part.image,
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": list(_mounts(part)),
    }
    if part.command:
        container["args"] = list(part.command)
    environment: list[dict[str, Any]] = [
        {"name": name, "value": value} for name, value in (part.environment | part.chosen).items()
    ]
    if part.token:
        environment.append({"name": TOKEN, "valueFrom": {"secretKeyRef": {"name": SECRET, "key": TOKEN}}})
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


def _volumes(part: Part) -> Iterator[dict[str, Any]]:
    if part.files:
        yield {"name": "files", "configMap": {"name": f"{part.name}-files"}}
    if part.token_file:
        yield {"name": "token", "secret": {"secretName": SECRET}}
    if part.data is not None:
        yield {"name": "data", "emptyDir": {}}  # a benchmark's data goes with its pod
