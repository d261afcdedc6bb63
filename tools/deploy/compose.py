"""Generates compose.yaml from the parts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tools.deploy.parts import CHATBENCH_IMAGE, INSIDE, TOKEN, TOKEN_FILE, Part

TOKEN_SECRET = "chatbench-token"  # noqa: S105 - the secret's name, not the secret
NOT_SET = "is not set; run `sh make-secrets.sh` in the folder of compose.yaml first, which makes one"
# Checks are frequent during the start and rare afterwards, because each uses CPU that a measurement may need.
CHECK = {"start_interval": "1s", "start_period": "120s", "interval": "30s", "timeout": "5s"}


def compose_file(parts: Iterable[Part]) -> dict[str, Any]:
    """Return the content of compose.yaml."""
    parts = list(parts)
    checked = {part.name for part in parts if part.health}
    return {
        "name": "chatbench",
        "services": {part.name: _service(part, checked) for part in parts},
        "secrets": {TOKEN_SECRET: {"environment": TOKEN}},
        # Parts with published ports have a second network to the outside; backends, gateways and workers have none.
        "networks": {
            name: {"internal": True} if name == INSIDE else {}
            for name in dict.fromkeys(name for part in parts for name in part.networks)
        },
        "volumes": {_volume(part): {} for part in parts if part.data is not None},
    }


def _service(part: Part, checked: set[str]) -> dict[str, Any]:
    """Return one service; `checked` names the parts with a health check."""
    service: dict[str, Any] = {"image": part.image, "user": str(part.user)}
    if part.image == CHATBENCH_IMAGE:
        service["build"] = {"context": "..", "dockerfile": "compose/Dockerfile"}
    if part.command:
        service["command"] = [word.replace("$", "$$") for word in part.command]  # Compose would expand a single $
    environment = part.environment | {name: f"${{{name}:-{default}}}" for name, default in part.chosen.items()}
    environment |= {name: f"${{{secret}:?{NOT_SET}}}" for name, secret in part.secrets.items()}
    if environment:
        service["environment"] = environment
    if part.token_file:
        service["secrets"] = [{"source": TOKEN_SECRET, "target": TOKEN_FILE}]
    published = [f"127.0.0.1:{port.number}:{port.number}" for port in part.ports if port.published]
    if published:
        service["ports"] = published
    if part.health:
        service["healthcheck"] = {"test": ["CMD", *part.health], **CHECK}
    if part.after:
        service["depends_on"] = {
            name: {"condition": "service_healthy" if name in checked else "service_started"} for name in part.after
        }
    volumes = [f"./{file}:{path}:ro" for path, file in part.files.items()]
    if part.data is not None:
        volumes.append(f"{_volume(part)}:{part.data}")
    if volumes:
        service["volumes"] = volumes
    if part.scratch:
        service["tmpfs"] = list(part.scratch)
    service["networks"] = list(part.networks)
    # Only memory is limited, because Docker refuses a limit of more cores than its host has.
    service["deploy"] = {"resources": {"limits": {"memory": f"{part.share.memory_max_mib}M"}}}
    if part.count != 1:
        count = part.count if part.count_variable is None else f"${{{part.count_variable}:-{part.count}}}"
        service["deploy"] = {"replicas": count, **service["deploy"]}
    # Docker Compose copies a secret from a variable into the container, whose file system must be writable for that.
    service["read_only"] = not part.token_file
    service |= {"init": True, "restart": "unless-stopped", "cap_drop": ["ALL"]}
    return service | {"security_opt": ["no-new-privileges:true"]}


def _volume(part: Part) -> str:
    return f"{part.name}-data"
