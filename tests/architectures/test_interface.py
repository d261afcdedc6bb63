"""The attributes that every registered architecture must declare, including plug-ins."""

import inspect
import sys

import pytest

from architectures.interface import Architecture, Topology
from harness.core.registry import architecture_names, load_architecture, load_candidate, peer_names
from peers.interface import Peer


@pytest.mark.parametrize("name", architecture_names())
def test_is_complete_and_explains_itself(name: str) -> None:
    architecture = load_architecture(name)
    assert architecture.name == name
    assert not inspect.isabstract(architecture)
    assert architecture.summary
    explanation = sys.modules[architecture.__module__].__doc__ or ""
    assert "->" in explanation, "the module's docstring draws the way of a message"


@pytest.mark.parametrize("name", peer_names())
def test_a_peer_is_complete_and_explains_itself(name: str) -> None:
    peer = load_candidate(name)
    assert issubclass(peer, Peer)
    assert peer.name == name
    assert peer.scheme in {"ws", "socket.io"}
    assert not inspect.isabstract(peer)
    assert peer.summary.startswith("peer: ")
    assert "->" in (sys.modules[peer.__module__].__doc__ or "")
    peer.check(Topology(run_id="r", gateways=2, options=peer.options))


@pytest.mark.parametrize("name", architecture_names())
def test_accepts_its_own_default_shape(name: str) -> None:
    architecture = load_architecture(name)
    gateways = min(2, architecture.requires.gateways_max or 2)
    architecture.check(Topology(run_id="r", gateways=gateways, options=architecture.options))


def test_no_method_of_the_interface_has_a_silent_default() -> None:
    methods = {n for n, m in vars(Architecture).items() if callable(m) or isinstance(m, classmethod)}
    # `history` raises, and nobody asks an architecture that does not promise it.
    assert methods - Architecture.__abstractmethods__ == {"__init__", "history"}


@pytest.mark.parametrize("name", architecture_names())
def test_history_is_there_exactly_where_it_is_promised(name: str) -> None:
    architecture = load_architecture(name)
    assert (architecture.history is not Architecture.history) == architecture.promises.history
