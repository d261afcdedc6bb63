"""Tests for an architecture of your own; needs pytest, which `pip install 'chatbench[testing]'` brings."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("chatbench.testing.conformance")  # so that a failed assertion shows what was compared

from chatbench.testing.conformance import ArchitectureConformance  # noqa: E402 - rewritten when it is imported
from chatbench.testing.gateways import Gateways, Member, opened  # noqa: E402 - as above

__all__ = ["ArchitectureConformance", "Gateways", "Member", "opened"]
