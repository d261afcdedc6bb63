"""The conformance suite on real backends, for every installed architecture and plug-in: `-k plan1` for one."""

from __future__ import annotations

from chatbench.testing import ArchitectureConformance
from harness.core.registry import architecture_names, load_architecture

for name in architecture_names():
    title = f"Test_{name}"
    globals()[title] = type(title, (ArchitectureConformance,), {"architecture": load_architecture(name)})
