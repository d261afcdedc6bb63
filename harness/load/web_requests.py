"""Which requests of the web UI are refused before Locust handles them."""

from __future__ import annotations

from flask import Response, jsonify, request

from harness.core.callers import WRONG_NAME, Callers

FOREIGN_PAGE = "pages of other origins may not send requests; to allow this one, start chatbench ui with --origin"
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


def check_caller(callers: Callers) -> Response | None:
    """Refuse requests of other pages: Locust has no authentication, and any page may read its answers."""
    hosts, origins = request.headers.getlist("Host"), request.headers.getlist("Origin")
    if not callers.hosts_allowed(hosts):
        return Response(f"{WRONG_NAME}, or start chatbench ui with --origin\n", 403, mimetype="text/plain")
    if not callers.origins_allowed(origins, hosts):
        return Response(f"{FOREIGN_PAGE}\n", 403, mimetype="text/plain")
    return None


def why_refused(path: str, idle: bool) -> str | None:
    """Return why a request is refused, or None if Locust may handle it. Forms that start a test are checked before."""
    match path:
        case "/user":
            return "the locustfile defines the classes of members; change that, and start chatbench ui again"
        case "/stats/reset" if not idle:
            return "a test is running, and these are its counts; stop it first"
        case "/swarm":
            return "a test is running, and its members and rate cannot change; stop it, then start another"
        case "/stop" if idle:
            return "no test is running"
        case "/stop" | "/stats/reset":
            return None
    return "chatbench ui does not support this request"  # also for what later versions of Locust may add


def refused(why: str) -> Response:
    """Return the answer with which Locust itself refuses a form, so that its page shows the message."""
    return jsonify({"success": False, "message": why, "host": ""})
