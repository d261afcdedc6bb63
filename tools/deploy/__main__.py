"""`python -m tools.deploy`: the files in compose/ that are made of the parts, made anew."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tools.deploy.compose import compose_file
from tools.deploy.dashboard import dashboard
from tools.deploy.kubernetes import RESOURCES, kustomization, manifests
from tools.deploy.parts import parts

COMPOSE = Path(__file__).parents[2] / "compose"
MADE = "# Made by `python -m tools.deploy` of tools/deploy/parts.py; change that.\n"


def files() -> Iterator[tuple[Path, str]]:
    """Each file and what is in it."""
    yield COMPOSE / "compose.yaml", MADE + _yaml(compose_file(parts()))
    yield COMPOSE / "kustomization.yaml", MADE + _yaml(kustomization(parts()))
    yield COMPOSE / RESOURCES, MADE + "---\n".join(map(_yaml, manifests(parts())))
    yield COMPOSE / "grafana" / "chatbench.json", json.dumps(dashboard(), indent=2) + "\n"


def _yaml(content: dict[str, Any]) -> str:
    return yaml.safe_dump(content, sort_keys=False, width=120)


def main() -> None:
    for path, text in files():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
