"""The manifests of deploy/kubernetes: Kubernetes knows all of it, and prewire has what they name.

Checked by the official client's classes; no cluster is asked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import pytest
import yaml
from kubernetes import client

from prewire.docs.interfaces import command_names
from prewire.docs.writing import ROOT
from prewire.settings import Settings

FOLDER: Final = ROOT / "deploy/kubernetes"
PORTS: Final = {
    "openflow": "controller_port",
    "metrics": "metrics_port",
    "https": "api_port",
    "grpc": "predictor_port",
}

Document = dict[str, Any]


def documents() -> list[Document]:
    """Every object of every file."""
    texts = (path.read_text("utf-8") for path in sorted(FOLDER.glob("*.yaml")))
    return [each for text in texts for each in yaml.safe_load_all(text)]


ALL: Final = documents()
NAMED: Final = [f"{each['kind']}-{each['metadata']['name']}" for each in ALL]


def of_kind(*kinds: str) -> list[Document]:
    return [each for each in ALL if each["kind"] in kinds]


def pods() -> list[tuple[str, Document]]:
    """The pod of each workload, with the workload's name."""
    found = of_kind("Deployment", "StatefulSet", "DaemonSet")
    return [(each["metadata"]["name"], each["spec"]["template"]) for each in found]


def without_defaults(value: Any) -> Any:
    """Without what is empty: the client leaves out what it was not given."""
    if isinstance(value, dict):
        return {key: without_defaults(each) for key, each in value.items()}
    return [without_defaults(each) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize("document", ALL, ids=NAMED)
def test_the_official_client_reads_it_and_writes_the_same(document: Document) -> None:
    group, _, version = document["apiVersion"].rpartition("/")
    kind = {"v1": "V1"}[version] + document["kind"]
    assert group in {"", "apps", "policy", "rbac.authorization.k8s.io"}
    api = client.ApiClient()
    read = api.deserialize(json.dumps(document), kind, "application/json")
    # what it does not know, such as a misspelt field, it would lose
    assert without_defaults(api.sanitize_for_serialization(read)) == document


def test_no_two_objects_have_a_name_in_common() -> None:
    assert len(set(NAMED)) == len(NAMED)


@pytest.mark.parametrize(("name", "pod"), pods(), ids=[name for name, _ in pods()])
def test_a_pod_runs_a_command_that_exists_with_settings_that_exist(
    name: str, pod: Document
) -> None:
    (container,) = pod["spec"]["containers"]
    arguments = container["args"]
    if "command" in container:
        lines = re.findall(r"prewire ((?:[a-z]+ )+)", arguments[0])
        commands = [line.strip() for line in lines]
        assert "db serve" in commands
    else:
        commands = [" ".join(arguments)]
    assert set(commands) <= set(command_names())
    given = [each["name"] for each in container.get("env", ())]
    assert {each["configMapRef"]["name"] for each in container["envFrom"]} == {"prewire-settings"}
    assert all(variable in _variables() for variable in given), name


def test_the_shared_settings_exist_and_are_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    (settings,) = of_kind("ConfigMap")
    assert settings["data"].keys() <= _variables()
    for variable in _variables():
        monkeypatch.delenv(variable, raising=False)
    for variable, value in settings["data"].items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setenv("PREWIRE_CONFIG", "/dev/null")
    assert Settings().nib.count("ssl:") == 3


def test_clients_find_the_database_at_the_addresses_of_its_services() -> None:
    (settings,) = of_kind("ConfigMap")
    fixed = [each["spec"].get("clusterIP") for each in of_kind("Service")]
    remotes = [f"ssl:{address}:6641" for address in fixed if address not in (None, "None")]
    assert settings["data"]["PREWIRE_NIB"] == ",".join(remotes)


def test_variables_of_services_are_not_taken_for_settings() -> None:
    for _, pod in pods():
        assert pod["spec"]["enableServiceLinks"] is False


def _variables() -> set[str]:
    return {f"PREWIRE_{name.upper()}" for name in Settings.model_fields}


@pytest.mark.parametrize(("name", "pod"), pods(), ids=[name for name, _ in pods()])
def test_ports_are_where_prewire_listens_and_probes_are_at_them(name: str, pod: Document) -> None:
    (container,) = pod["spec"]["containers"]
    named = {each["name"]: each["containerPort"] for each in container.get("ports", ())}
    for port, number in named.items():
        setting = PORTS.get(port)
        if port == "metrics" and name == "prewire-predictor":
            setting = "predictor_metrics_port"
        if setting is not None:
            assert number == Settings.model_fields[setting].default
    for probe in _probes(container):
        where = probe.get("httpGet") or probe["tcpSocket"]
        assert where["port"] in named
        if where["port"] == "https":
            assert (where["scheme"], where["path"]) in {("HTTPS", "/healthz"), ("HTTPS", "/readyz")}


def _probes(container: Document) -> Iterator[Document]:
    for kind in ("readinessProbe", "livenessProbe"):
        if kind in container:
            yield container[kind]


def test_services_and_budgets_select_pods_and_name_their_ports() -> None:
    labels = {name: pod["metadata"]["labels"] for name, pod in pods()}
    for service in of_kind("Service"):
        name = service["metadata"]["name"]
        if name[-1].isdigit():  # of one server of the database
            assert service["spec"]["selector"] == {"statefulset.kubernetes.io/pod-name": name}
            continue
        assert labels[name] == service["spec"]["selector"]
        (container,) = dict(pods())[name]["spec"]["containers"]
        ports = {each["name"]: each["containerPort"] for each in container["ports"]}
        assert {each["name"]: each["port"] for each in service["spec"]["ports"]} == ports
    for budget in of_kind("PodDisruptionBudget"):
        assert budget["spec"]["selector"]["matchLabels"] in labels.values()


def test_workloads_select_their_own_pods() -> None:
    for each in of_kind("Deployment", "StatefulSet", "DaemonSet"):
        selected = each["spec"]["selector"]["matchLabels"]
        assert selected == each["spec"]["template"]["metadata"]["labels"]


def test_only_the_node_agent_has_privileges() -> None:
    for name, pod in pods():
        (container,) = pod["spec"]["containers"]
        own = container["securityContext"]
        assert own.get("privileged", False) is (name == "prewire-node")
        if name != "prewire-node":
            assert own["capabilities"] == {"drop": ["ALL"]}
            assert pod["spec"]["securityContext"]["runAsNonRoot"] is True


def test_accounts_of_roles_and_pods_are_there() -> None:
    accounts = {each["metadata"]["name"] for each in of_kind("ServiceAccount")}
    for binding in of_kind("ClusterRoleBinding"):
        assert {each["name"] for each in binding["subjects"]} <= accounts
    used = {pod["spec"].get("serviceAccountName") for _, pod in pods()} - {None}
    assert used <= accounts


def test_mounts_are_of_volumes_that_are_there() -> None:
    for workload in of_kind("Deployment", "StatefulSet", "DaemonSet"):
        spec = workload["spec"]["template"]["spec"]
        claims = workload["spec"].get("volumeClaimTemplates", ())
        volumes = [each["name"] for each in spec["volumes"]]
        volumes += [each["metadata"]["name"] for each in claims]
        (container,) = spec["containers"]
        assert sorted(each["name"] for each in container["volumeMounts"]) == sorted(volumes)


def test_the_image_has_everything_that_a_wheel_is_built_from() -> None:
    text = (ROOT / "deploy/container/Containerfile").read_text("utf-8")
    copied = set(re.findall(r"^COPY (\w+) \w+$", text, re.MULTILINE))
    rooms = {path.parent.name for path in ROOT.glob("*/py.typed")}
    assert copied == rooms
    allowed = set(re.findall(r"^!(\w+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE))
    assert allowed == rooms | {"LICENSE"}
