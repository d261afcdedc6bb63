"""compose.yaml, made of the parts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from harness.deployment.parts import CHATBENCH_IMAGE, TOKEN, TOKEN_FILE, Part

SECRET = "chatbench-token"  # noqa: S105 - its name
# Often while it starts, seldom while it may be measured: a check takes CPU beside the load.
CHECK = {"start_interval": "1s", "start_period": "120s", "interval": "30s", "timeout": "5s"}


def compose_file(parts: Iterable[Part]) -> dict[str, Any]:
    parts = list(parts)
    served = {part.name for part in parts if part.health}
    return {
        "name": "chatbench",
        "services": {part.name: _service(part, served) for part in parts},
        "secrets": {SECRET: {"environment": TOKEN}},
        "volumes": {_volume(part): {} for part in parts if part.data is not None},
    }


def _service(part: Part, served: set[str]) -> dict[str, Any]:
    service: dict[str, Any] = {"image": part.image, "user": str(part.user)}
    if part.image == CHATBENCH_IMAGE:
        service["build"] = {"context": "..", "dockerfile": "compose/Dockerfile"}
    if part.command:
        service["command"] = list(part.command)
    environment = part.environment | {name: f"${{{name}:-{default}}}" for name, default in part.chosen.items()}
    if part.token:
        environment[TOKEN] = f"${{{TOKEN}}}"
    if environment:
        service["environment"] = environment
    if part.token_file:
        service["secrets"] = [{"source": SECRET, "target": TOKEN_FILE}]
    published = [f"127.0.0.1:{port.number}:{port.number}" for port in part.ports if port.published]
    if published:
        service["ports"] = published
    if part.health:
        service["healthcheck"] = {"test": ["CMD", *part.health], **CHECK}
    if part.after:
        service["depends_on"] = {
            name: {"condition": "service_healthy" if name in served else "service_started"} for name in part.after
        }
    volumes = [f"./{file}:{path}:ro" for path, file in part.files.items()]
    if part.data is not None:
        volumes.append(f"{_volume(part)}:{part.data}")
    if volumes:
        service["volumes"] = volumes
    if part.count != 1:
        count = part.count if part.count_variable is None else f"${{{part.count_variable}:-{part.count}}}"
        service["deploy"] = {"replicas": count}
    service |= {"init": True, "restart": "unless-stopped", "cap_drop": ["ALL"]}
    return service | {"security_opt": ["no-new-privileges:true"]}


def _volume(part: Part) -> str:
    return f"{part.name}-data"
