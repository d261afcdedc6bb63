"""The list of deployed parts, from which both compose.yaml and the Kubernetes manifests are generated.

Images are pinned by version and not by digest, because only the registry can confirm a digest and an unverified one
would be worse than none. Every part names the user that it runs as, which is never root.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.metadata import version

from harness.core.registry import baseline_of, candidates
from harness.services.kafka.jars import KAFKA_VERSION

TOKEN = "CHATBENCH_TOKEN"  # noqa: S105 - the name of a variable, not a token
REDIS_PASSWORD = "CHATBENCH_REDIS_PASSWORD"  # noqa: S105 - the name of a variable, not a password
SECRETS = (TOKEN, REDIS_PASSWORD)
SECRETS_FILE = ".env"  # written by make-secrets.sh and never committed
TOKEN_FILE = "/run/secrets/chatbench-token"  # noqa: S105 - a path
CHATBENCH_IMAGE = f"chatbench:{version('chatbench')}"
EVERYWHERE = "0.0.0.0"  # noqa: S104 - inside a container; published ports are on the host's loopback interface
TMP = "/tmp"  # noqa: S108 - inside a container, whose /tmp is private
INSIDE = "inside"  # the network without access to the outside
BROKERS = 3
GATEWAYS = 3
WORKERS = 2
GATEWAY_PORT, MASTER_PORT, UI_PORT, METRICS_PORT = 9001, 5557, 8089, 9646


@dataclass(frozen=True, slots=True)
class Port:
    """A port that a part listens on."""

    name: str
    number: int
    published: bool = False  # also on the host's loopback interface, for people


@dataclass(frozen=True, slots=True)
class Share:
    """A container's share of a node: what it requests, and its limits, which only stop a container that misbehaves."""

    cores: float
    cores_max: float
    memory_mib: int
    memory_max_mib: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One service: a container, or several identical ones."""

    name: str  # its host name for the other parts
    image: str
    user: int
    command: tuple[str, ...] = ()  # empty: the image's own command
    environment: dict[str, str] = field(default_factory=dict)
    chosen: dict[str, str] = field(default_factory=dict)  # variables that people may set -> their defaults
    secrets: dict[str, str] = field(default_factory=dict)  # variable -> the name in SECRETS whose value it holds
    token_file: bool = False  # CHATBENCH_TOKEN is in the file TOKEN_FILE
    ports: tuple[Port, ...] = ()
    calls: dict[str, tuple[str, ...]] = field(default_factory=dict)  # part -> names of the ports that this part calls
    networks: tuple[str, ...] = (INSIDE,)  # Docker networks, on which containers find each other
    share: Share
    health: tuple[str, ...] = ()  # a command that succeeds when the part serves
    count: int = 1
    count_variable: str | None = None  # the variable with which people change the count
    after: tuple[str, ...] = ()  # parts that must serve before this one starts
    files: dict[str, str] = field(default_factory=dict)  # path in the container -> file in compose/
    data: str | None = None  # a folder that outlives the container
    scratch: tuple[str, ...] = ()  # writable folders that end with the container; the rest is read-only


def brokers() -> list[Part]:
    """Return the Kafka brokers, which form one cluster."""
    names = [f"kafka-{node}" for node in range(1, BROKERS + 1)]
    return [_broker(node, name, names) for node, name in enumerate(names, 1)]


def _broker(node: int, name: str, names: list[str]) -> Part:
    return Part(
        name=name,
        image=f"apache/kafka:{KAFKA_VERSION}",
        user=1000,
        environment={
            "CLUSTER_ID": "Y2hhdGJlbmNoLWNsdXN0ZQ",
            "KAFKA_NODE_ID": str(node),
            "KAFKA_PROCESS_ROLES": "broker,controller",
            "KAFKA_CONTROLLER_QUORUM_VOTERS": ",".join(f"{n}@{each}:9093" for n, each in enumerate(names, 1)),
            "KAFKA_LISTENERS": "PLAINTEXT://:9092,CONTROLLER://:9093",
            "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://{name}:9092",
            "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
            "KAFKA_INTER_BROKER_LISTENER_NAME": "PLAINTEXT",
            "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "KAFKA_LOG_DIRS": "/var/lib/kafka/data",
            "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
            "KAFKA_DEFAULT_REPLICATION_FACTOR": str(BROKERS),
            "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": str(BROKERS),
            "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": str(BROKERS),
            "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": str(BROKERS - 1),
            "KAFKA_MIN_INSYNC_REPLICAS": str(BROKERS - 1),
            "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
            "KAFKA_HEAP_OPTS": "-Xms512m -Xmx512m",
        },
        ports=(Port("kafka", 9092), Port("controller", 9093)),
        # Kafka's own tools would start a JVM for each check, which would disturb a measurement.
        health=("bash", "-c", f"exec 3<>/dev/tcp/{name}/9092"),
        calls={each: ("kafka", "controller") for each in names if each != name},
        data="/var/lib/kafka/data",
        scratch=("/opt/kafka/config", "/opt/kafka/logs", TMP),  # the image writes properties and logs there
        share=Share(cores=0.5, cores_max=2, memory_mib=1024, memory_max_mib=1536),
    )


# On standard input the password does not appear in the list of processes. Redis does not start without a password.
REDIS = """exec redis-server - --save '' --appendonly no --protected-mode yes <<END
requirepass ${REDISCLI_AUTH:?is empty, but Redis needs a password; make-secrets.sh makes one}
END"""


def parts() -> list[Part]:
    """Return all parts, in the order in which they start."""
    kafka = brokers()
    backends = tuple(broker.name for broker in kafka)
    bootstrap = ",".join(f"{name}:9092" for name in backends)
    redis = Part(
        name="redis",
        image="redis:8.2.1-alpine",
        user=999,
        command=("sh", "-c", REDIS),
        secrets={"REDISCLI_AUTH": REDIS_PASSWORD},  # redis-cli reads this variable too
        ports=(Port("redis", 6379),),
        health=("redis-cli", "-e", "-h", "redis", "ping"),
        share=Share(cores=0.25, cores_max=2, memory_mib=128, memory_max_mib=1024),
    )
    chosen = {"CHATBENCH_ARCH": baseline_of(candidates())}
    gateway = Part(
        name="gateway",
        image=CHATBENCH_IMAGE,
        user=10001,
        command=("chatbench", "gateway", "--listen", f"{EVERYWHERE}:{GATEWAY_PORT}"),
        environment={"CHATBENCH_KAFKA_BOOTSTRAP": bootstrap, "CHATBENCH_REDIS_URL": "redis://redis:6379"},
        chosen={**chosen, "CHATBENCH_GATEWAYS": str(GATEWAYS)},
        secrets={TOKEN: TOKEN, REDIS_PASSWORD: REDIS_PASSWORD},
        ports=(Port("gateway", GATEWAY_PORT),),
        calls={**dict.fromkeys(backends, ("kafka",)), redis.name: ("redis",)},
        health=_answers(GATEWAY_PORT, "/health"),
        count=GATEWAYS,
        count_variable="CHATBENCH_GATEWAYS",
        after=(*backends, redis.name),
        scratch=(TMP,),
        share=Share(cores=0.5, cores_max=2, memory_mib=256, memory_max_mib=1024),
    )
    driver = Part(
        name="driver",
        image=CHATBENCH_IMAGE,
        user=10001,
        command=(
            *("chatbench", "ui", "--bind", EVERYWHERE, "--out", "/results"),
            *("--origin", f"http://driver:{UI_PORT}"),  # the name that Prometheus uses
            *("--gateways-at", f"ws://gateway:{GATEWAY_PORT}"),
            *("--expect-workers", str(WORKERS), "--master-bind", f"{EVERYWHERE}:{MASTER_PORT}"),
            *("--metrics", f"{EVERYWHERE}:{METRICS_PORT}"),
        ),
        chosen=chosen,
        secrets={TOKEN: TOKEN},
        calls={gateway.name: ("gateway",)},
        networks=(INSIDE, "people"),
        ports=(Port("ui", UI_PORT, published=True), Port("master", MASTER_PORT), Port("metrics", METRICS_PORT)),
        health=_answers(UI_PORT, "/"),
        after=(gateway.name,),
        data="/results",
        scratch=(TMP,),
        share=Share(cores=0.5, cores_max=2, memory_mib=512, memory_max_mib=2048),
    )
    worker = Part(
        name="worker",
        image=CHATBENCH_IMAGE,
        user=10001,
        command=("chatbench", "worker", "--master", f"driver:{MASTER_PORT}"),
        secrets={TOKEN: TOKEN},
        calls={"driver": ("master",), gateway.name: ("gateway",)},
        count=WORKERS,
        scratch=(TMP,),
        share=Share(cores=0.5, cores_max=2, memory_mib=512, memory_max_mib=2048),
    )
    prometheus = Part(
        name="prometheus",
        image="prom/prometheus:v3.5.0",
        user=65534,
        ports=(Port("prometheus", 9090, published=True),),
        health=("wget", "-q", "-O", "-", "http://127.0.0.1:9090/-/healthy"),
        token_file=True,
        files={"/etc/prometheus/prometheus.yml": "prometheus.yml"},
        calls={gateway.name: ("gateway",), driver.name: ("metrics",)},
        networks=(INSIDE, "watch"),
        data="/prometheus",
        share=Share(cores=0.1, cores_max=1, memory_mib=256, memory_max_mib=1024),
    )
    grafana = Part(
        name="grafana",
        image="grafana/grafana:12.1.0",
        user=472,
        environment={
            "GF_AUTH_ANONYMOUS_ENABLED": "true",
            "GF_ANALYTICS_REPORTING_ENABLED": "false",
            "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH": "/etc/grafana/dashboards/chatbench.json",
        },
        ports=(Port("grafana", 3000, published=True),),
        health=("wget", "-q", "-O", "-", "http://127.0.0.1:3000/api/health"),
        files={
            "/etc/grafana/provisioning/datasources/prometheus.yaml": "grafana/datasource.yaml",
            "/etc/grafana/provisioning/dashboards/chatbench.yaml": "grafana/dashboards.yaml",
            "/etc/grafana/dashboards/chatbench.json": "grafana/chatbench.json",
        },
        after=(prometheus.name,),
        calls={prometheus.name: ("prometheus",)},
        networks=("watch",),
        data="/var/lib/grafana",
        scratch=(TMP,),
        share=Share(cores=0.1, cores_max=1, memory_mib=128, memory_max_mib=512),
    )
    return [*kafka, redis, gateway, worker, driver, prometheus, grafana]


def _answers(port: int, path: str) -> tuple[str, ...]:
    """Return a health check in bash: the image has no curl, and each start of Python costs 0.1 s of CPU time."""
    ask = f"printf 'GET {path} HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n' >&3"
    return ("bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{port}; {ask}; head -1 <&3 | grep -q ' 200 '")
