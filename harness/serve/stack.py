"""`chatbench up`: services and gateways without a load, for a Locust that is started separately."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable
from functools import partial

import msgspec

from architectures.interface import Architecture
from harness.core import settings as config
from harness.core.addresses import web_origin
from harness.core.errors import Interrupted, ServiceFailed, UsageError
from harness.core.open_files import raise_open_file_limit
from harness.core.progress import RunProgress
from harness.core.settings import RunSettings
from harness.core.signals import signals_interrupt, signals_wait
from harness.core.token import TOKEN_VARIABLE
from harness.core.validation import validate
from harness.gateway.settings import ANY_LOAD, Exposure, Limits
from harness.runs.setup import show_first_use
from harness.services.backends import Backends
from harness.services.external import external_services, resolve_brokers
from harness.services.fleet import FleetOptions
from harness.services.lease import offer
from harness.services.ports import cannot_listen
from harness.services.stack import Stack
from harness.services.workdir import discard, keep, make_logs_folder


def exposure_of(option: str, bind: str, origins: tuple[str, ...]) -> Exposure:
    """Return the exposure for `bind` and `origins`; raises UsageError, naming `option`.

    The token comes from the environment, so that it appears neither in a record nor in the list of processes.
    """
    try:
        ipaddress.ip_address(bind)
    except ValueError as problem:
        raise UsageError(
            f"{option} is {bind!r}, but it must be an IP address of this host, as in 192.168.1.20"
        ) from problem
    try:
        pages = tuple(web_origin("--origin", each) for each in origins)
        return Exposure(bind=bind, origins=pages, token=config.own_token())
    except ValueError as problem:
        raise UsageError(f"{option} {bind}: {problem}; set one in {TOKEN_VARIABLE}") from problem


def limits_of(exposure: Exposure) -> Limits:
    """Return no limits on loopback, which only this host's load reaches, and else limits that protect the gateways."""
    return ANY_LOAD if ipaddress.ip_address(exposure.bind).is_loopback else Limits()


def stay_up(
    settings: RunSettings,
    architecture: type[Architecture],
    exposure: Exposure,
    progress: RunProgress,
    say: Callable[[str], None],
    *,
    port: int | None = None,
) -> None:
    """Start everything, say {"gateways": [url, ...], "logs": folder} in one line, and wait for SIGINT or SIGTERM.

    `progress` is shown during the start and ends before the line. `port` is the first gateway's; None: a free one.

    Raises UsageError or ServiceFailed. Everything is stopped when it returns or raises.
    """
    validate(settings, architecture)
    if ipaddress.ip_address(exposure.bind).is_unspecified:
        raise UsageError(f"--bind {exposure.bind} is not an address that members can use; name one of this host")
    if port is not None:
        config.in_range("--port", port, 1, config.PORT_MAX, str)
        if (why := cannot_listen(port, exposure.bind)) is not None:
            raise UsageError(f"--port {port}: {why}")
    settings = resolve_brokers(settings)
    raise_open_file_limit()
    logs = make_logs_folder()
    backends = Backends(architecture.requires, settings.brokers, logs, external=external_services(settings))
    topology = config.topology(settings, architecture, config.new_run_id())
    options = FleetOptions(exposure=exposure, limits=limits_of(exposure), tick_s=settings.tick_s, port=port)
    stack = Stack(architecture, topology, backends, logs, options)
    with signals_interrupt():
        try:
            with progress:
                progress.step("start", "services and gateways")
                backends.begin(partial(show_first_use, progress))
                fleet = stack.start()
                offer(backends)
            say(msgspec.json.encode({"gateways": fleet.urls, "logs": str(logs)}).decode())
            while True:
                time.sleep(0.5)
                stack.check()
        except Interrupted:
            discard(logs)  # an interrupt is the normal end of this command; only after a failure the logs are kept
        except BaseException:
            keep(logs)
            raise
        finally:
            with signals_wait():
                stack.stop()
                left = stack.forget()
                backends.stop()
        if left is not None:
            raise ServiceFailed(left)
