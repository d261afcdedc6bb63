"""Tests for an architecture of your own. They need pytest, which `pip install 'chatbench[testing]'` installs."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("chatbench.testing.conformance")  # so that a failed assertion shows the values

from chatbench.testing.conformance import ArchitectureConformance  # noqa: E402 - must follow the line above
from chatbench.testing.gateways import Gateways, Member, opened  # noqa: E402 - must follow the line above

__all__ = ["ArchitectureConformance", "Gateways", "Member", "opened"]
