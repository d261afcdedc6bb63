"""The jars of Apache Kafka: locked by hash, downloaded once, cached outside the checkout, reused offline."""

from __future__ import annotations

import hashlib
import os
import tempfile
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.core.errors import FULL_DISK, ServiceFailed, UsageError
from harness.services.workdir import discard, make_folder, remove_leftovers

LOCK = Path(__file__).parent / "jars.lock.toml"
KAFKA_VERSION = "4.4.0"
INCOMING = ".incoming-"
AGENT = "jmx_prometheus_javaagent"
# Kafka logs through slf4j: without a binding it logs nothing, and its reasons for failing are lost.
ROOTS = (
    f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}",
    "org.slf4j:slf4j-simple:1.7.36",
    f"io.prometheus.jmx:{AGENT}:1.0.1",
)


# Java takes these for the end of a path: in the class path, in an agent's argument, and in the URL of a jar's entry.
JAVAS_OWN = (os.pathsep, "=", "!/")


@dataclass(frozen=True, slots=True)
class Jars:
    class_path: str
    agent: Path  # the Prometheus JMX exporter


@dataclass(frozen=True, slots=True)
class Jar:
    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def path(self) -> Path:
        name = f"{self.artifact}-{self.version}.jar"
        return cache_dir() / self.group.replace(".", "/") / self.artifact / self.version / name


def cache_dir() -> Path:
    """Where jars are kept: in $CHATBENCH_CACHE, else in the user's cache folder. Raises UsageError."""
    if chosen := os.environ.get("CHATBENCH_CACHE"):
        return Path(chosen).absolute() / "jars"
    try:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    except RuntimeError as problem:
        raise UsageError("there is no home folder to keep jars in; set CHATBENCH_CACHE to a folder") from problem
    return Path(base).absolute() / "chatbench" / "jars"


def locked_jars() -> list[Jar]:
    """All jars of the lock file."""
    locked = tomllib.loads(LOCK.read_text(encoding="utf-8"))["dependencies"]
    return [Jar(each["groupId"], each["artifactId"], each["version"], each["sha256"]) for each in locked]


def missing_jars() -> list[Jar]:
    """Those of them that are not in the cache."""
    return [jar for jar in locked_jars() if not jar.path.is_file()]


def ensure_jars(on_progress: Callable[[int, int], None]) -> Jars:
    """Download what is missing, check every jar against the lock, and return where they are.

    `on_progress(done, total)` counts jars. Raises ServiceFailed, which says what to do, if a jar is not in the cache
    and cannot be downloaded, or is not the one that was locked.
    """
    if taken := [mark for mark in JAVAS_OWN if mark in str(cache_dir())]:
        raise ServiceFailed(
            f"jars cannot be kept in {cache_dir()}, since Java takes the {taken[0]!r} in that path for the end of it; "
            "set CHATBENCH_CACHE to another folder"
        )
    missing = missing_jars()
    if missing:
        _check_cache()
    for done, jar in enumerate(missing):
        on_progress(done, len(missing))
        _fetch(jar)
    if missing:
        on_progress(len(missing), len(missing))
    _verify()
    jars = locked_jars()
    return Jars(
        class_path=os.pathsep.join(
            str(jar.path) for jar in jars
        ),  # with the agent: a JVM keeps classes of no other jar
        agent=next(jar.path for jar in jars if jar.artifact == AGENT),
    )


def _check_cache() -> None:
    """Raise UsageError if nothing can be kept in the cache, before anything is downloaded."""
    try:
        cache_dir().mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=cache_dir()).close()
    except OSError as problem:
        hint = "free some space, or set it to" if problem.errno in FULL_DISK else "set it to"
        raise UsageError(
            f"Kafka's jars cannot be kept in {cache_dir()} ({problem.strerror}); CHATBENCH_CACHE says where: "
            f"{hint} a folder you may write to"
        ) from problem


def _fetch(jar: Jar) -> None:
    from jgo.maven import MavenContext, PythonResolver  # noqa: PLC0415 - 0.2 s, needed once

    # Each download goes to a folder of its own and is then renamed, so that neither a killed download nor a second
    # chatbench beside this one leaves half a jar in the cache.
    cache_dir().mkdir(parents=True, exist_ok=True)
    remove_leftovers(cache_dir(), INCOMING)
    private = make_folder(cache_dir(), INCOMING)
    context = MavenContext(resolver=PythonResolver(), repo_cache=private, local_repos=[], timeout=20)
    component = context.project(jar.group, jar.artifact).at_version(jar.version)
    try:
        fetched = component.artifact(packaging="jar").resolve()
        jar.path.parent.mkdir(parents=True, exist_ok=True)
        fetched.replace(jar.path)
    except (OSError, RuntimeError) as problem:
        raise ServiceFailed(
            f"{jar.artifact} {jar.version} of Apache Kafka is not in the cache {cache_dir()} and could not be "
            f"downloaded ({_short(problem)}); run the command once with network, after that it works offline"
        ) from problem
    finally:
        discard(private)


def _verify() -> None:
    for jar in locked_jars():
        found = hashlib.sha256(jar.path.read_bytes()).hexdigest()
        if found != jar.sha256:
            jar.path.unlink(missing_ok=True)
            raise ServiceFailed(
                f"a jar in {cache_dir()} is not the one that was locked ({jar.artifact} {jar.version}: expected "
                f"{jar.sha256}, got {found}); it was removed, so run the command again to download it anew"
            )


def _short(problem: OSError | RuntimeError) -> str:
    if isinstance(problem, OSError):
        return problem.strerror or "no connection to the repository"  # a full disk has an errno, a dead network none
    return " ".join(str(problem).split())[:160]


def write_lock() -> None:
    """Resolve ROOTS and everything they need, and write the lock (`make lock`)."""
    from jgo.env import LockFile  # noqa: PLC0415 - as above
    from jgo.maven import MavenContext  # noqa: PLC0415 - as above

    context = MavenContext(repo_cache=cache_dir())
    roots = [context.create_dependency(root) for root in ROOTS]
    inputs, transitive = context.resolver.resolve(roots)
    needed = [dependency for dependency in transitive if dependency.scope in ("compile", "runtime")]
    LockFile.from_resolved_dependencies([*inputs, *needed]).save(LOCK)


if __name__ == "__main__":
    write_lock()
