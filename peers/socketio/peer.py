"""socketio: Socket.IO on Node.js, with its Redis adapter.

    member -> Socket.IO -> PUBLISH -> every gateway (PSUBSCRIBE) -> its members of the room

It sends with `io.to(room).emit(...)`: members on the same gateway get the message at once, and the others through
Redis. The adapter subscribes to all rooms with one pattern, so every gateway gets every message, and drops it if it has
no members of the room. An ack means only that the gateway has accepted the message, since nothing waits for Redis.

At the first use, its packages are installed from npm, in the versions of peers/socketio/package-lock.json.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from architectures.interface import Promises, Requirements
from peers.interface import AT_MOST_ONCE, NotInstalled, OnProgress, Peer

HERE = Path(__file__).parent
FILES = ("gateway.mjs", "package.json", "package-lock.json")
NPM = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
NPM_TIMEOUT_S = 300.0
NODE_VERSION = ("node", "--version")
NODE_TIMEOUT_S = 20.0
NODE_MIN = 18


class SocketIo(Peer):
    name: ClassVar[str] = "socketio"
    summary: ClassVar[str] = "peer: Socket.IO (Node.js) with its Redis adapter"
    requires: ClassVar[Requirements] = Requirements(redis=True)
    promises: ClassVar[Promises] = AT_MOST_ONCE
    scheme: ClassVar[str] = "socket.io"

    @classmethod
    def missing(cls) -> str | None:
        needed = f"{cls.name} needs Node.js {NODE_MIN} or newer, with npm"
        for program in ("node", "npm"):
            if shutil.which(program) is None:
                return f"{needed}, and there is no {program} here; install it"
        found = _node_version()
        if int(found.partition(".")[0]) < NODE_MIN:
            return f"{needed}, and this is {found}; install a newer one"
        return None

    @classmethod
    def versions(cls) -> Mapping[str, str]:
        packages = json.loads((HERE / "package-lock.json").read_bytes())["packages"]
        direct = packages[""]["dependencies"]
        return {
            "node": _node_version(),
            **{f"{name} (npm)": packages[f"node_modules/{name}"]["version"] for name in direct},
        }

    @classmethod
    def program(cls, cache: Path, on_progress: OnProgress) -> Sequence[str]:
        digest = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in FILES)).hexdigest()[:16]
        folder = cache / f"socketio-{digest}"
        if not folder.is_dir():
            on_progress("packages of Socket.IO", 0, 1)
            _install(folder)
            on_progress("packages of Socket.IO", 1, 1)
        return ("node", str(folder / "gateway.mjs"))


def _node_version() -> str:
    """Return the version of the Node.js on the PATH, for example 20.1.2."""
    answer = subprocess.run(NODE_VERSION, capture_output=True, text=True, timeout=NODE_TIMEOUT_S, check=True)
    return answer.stdout.strip().removeprefix("v")


def _install(folder: Path) -> None:
    """Install into the folder atomically, because another chatbench may do the same at the same time."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".incoming-", dir=folder.parent) as incoming:
            folder_made = Path(incoming) / "made"
            folder_made.mkdir()
            for name in FILES:
                shutil.copy(HERE / name, folder_made)
            done = subprocess.run(
                NPM, cwd=folder_made, capture_output=True, text=True, timeout=NPM_TIMEOUT_S, check=False
            )
            if done.returncode != 0:
                reason = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()[0]
                raise NotInstalled(f"npm could not install the packages of Socket.IO: {reason}")
            folder_made.rename(folder)
    except (OSError, subprocess.TimeoutExpired) as problem:
        if not folder.is_dir():  # else another chatbench was faster
            why = f"the packages of Socket.IO could not be written to {folder.parent}: {problem}"
            raise NotInstalled(why) from problem
