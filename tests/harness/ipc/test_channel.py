import socket
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.ipc import messages as msg
from harness.ipc.channel import Channel, ChannelClosed


@pytest.fixture
def ends() -> Iterator[tuple[Channel[msg.FromCoordinator], socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Channel(ours, msg.FromCoordinator), theirs


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=20), st.integers(1, 7))
def test_messages_arrive_whole_and_in_order_however_the_bytes_are_cut(numbers: list[int], cut: int) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        channel: Channel[msg.FromCoordinator] = Channel(ours, msg.FromCoordinator)
        stream = b"".join(msg.pack(msg.Spawned(joined=number)) for number in numbers)
        # Sent beside the reading: a socket's buffer holds only a few hundred such crumbs.
        sender = threading.Thread(target=_send_in_pieces, args=(theirs, stream, cut))
        sender.start()
        assert [channel.receive(10) for _ in numbers] == [msg.Spawned(joined=number) for number in numbers]
        sender.join()


def _send_in_pieces(sender: socket.socket, stream: bytes, size: int) -> None:
    for start in range(0, len(stream), size):
        sender.sendall(stream[start : start + size])


def test_no_message_in_time_is_none(ends: tuple[Channel[msg.FromCoordinator], socket.socket]) -> None:
    channel, _theirs = ends
    assert channel.receive(0.01) is None
    assert channel.receive(0) is None


def test_half_a_message_is_none_and_not_lost(ends: tuple[Channel[msg.FromCoordinator], socket.socket]) -> None:
    channel, theirs = ends
    frame = msg.pack(msg.Probed(problem=None))
    theirs.sendall(frame[:5])
    assert channel.receive(0.01) is None
    theirs.sendall(frame[5:])
    assert channel.receive(1) == msg.Probed(problem=None)


def test_an_end_that_is_gone_is_an_error_and_not_silence(
    ends: tuple[Channel[msg.FromCoordinator], socket.socket],
) -> None:
    channel, theirs = ends
    theirs.close()
    with pytest.raises(ChannelClosed):
        channel.receive(1)
    with pytest.raises(ChannelClosed):
        channel.send(msg.EndPhase())


def test_frames_of_several_senders_do_not_mix(ends: tuple[Channel[msg.FromCoordinator], socket.socket]) -> None:
    channel, theirs = ends
    long = msg.Probed(problem="x" * 300_000)  # larger than the socket's buffer
    senders = [threading.Thread(target=channel.send, args=(long,)) for _ in range(4)]
    for sender in senders:
        sender.start()
    other: Channel[msg.FromCoordinator] = Channel(theirs, msg.FromCoordinator)
    assert [other.receive(10) for _ in senders] == [long] * 4
    for sender in senders:
        sender.join()
