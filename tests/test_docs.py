"""The documents tell the truth."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from harness.registry import architecture_names, scenario_files

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAP = (ROOT / "docs" / "map.md").read_text(encoding="utf-8")


def modules() -> list[str]:
    return sorted(
        str(path.relative_to(ROOT))
        for folder in ("architectures", "harness")
        for path in (ROOT / folder).rglob("*.py")
        if path.name != "__init__.py"
    )


def test_the_map_names_every_module_and_no_other() -> None:
    assert sorted(re.findall(r"^\| `([\w/]+\.py)` \|", MAP, flags=re.MULTILINE)) == modules()


def test_the_readme_names_every_architecture_and_scenario() -> None:
    for name in (*architecture_names(), *scenario_files()):
        assert f"| `{name}` |" in README


def test_the_readme_names_every_file_of_a_record() -> None:
    files = ("summary.json", "timeseries.csv", "latency.hgrm", "latency.hdr", "locust_stats.csv", "manifest.json")
    for name in (*files, "charts/", "frames/", "report.html"):
        assert f"| `{name}` |" in README


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "docs/map.md"])
def test_links_inside_the_project_lead_somewhere(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?://)([^)#]+)\)", text):
        assert ((ROOT / document).parent / target).exists(), target


def test_architectures_import_nothing_from_the_harness() -> None:
    for path in (ROOT / "architectures").glob("*.py"):
        assert not re.search(r"^\s*(from|import) harness", path.read_text(encoding="utf-8"), flags=re.MULTILINE), path


def test_no_committed_file_names_a_package_registry() -> None:
    registries = ("pypi" + ".org", "pythonhosted" + ".org", "repo1.maven" + ".org", "repo.maven" + ".apache")
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    for name in tracked:
        text = (ROOT / name).read_bytes().decode(errors="ignore")
        assert not any(registry in text for registry in registries), name
