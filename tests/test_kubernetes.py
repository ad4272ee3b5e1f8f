"""The manifests of deploy/kubernetes: right by the schemas of Kubernetes, and what they promise beyond them."""

from __future__ import annotations

import runpy
from copy import deepcopy
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "deploy" / "kubernetes"
FILES = sorted(file for file in FOLDER.glob("*.yaml") if file.name != "kustomization.yaml")
OLDEST, NEWEST = "1.33.0", kubernetes_validate.latest_version()


def _read(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return found


OBJECTS = {document["kind"]: document for document in map(_read, FILES)}
POD: dict[str, Any] = OBJECTS["Deployment"]["spec"]["template"]["spec"]
CONTAINERS: list[dict[str, Any]] = POD["containers"] + POD.get("initContainers", [])
LABELS: dict[str, str] = OBJECTS["Deployment"]["spec"]["template"]["metadata"]["labels"]
PROBES = ("startupProbe", "livenessProbe", "readinessProbe")


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_manifest_is_right_by_the_schemas_of_kubernetes(file: Path, version: str) -> None:
    kubernetes_validate.validate(_read(file), version, strict=True)


@pytest.mark.parametrize("wrong", [{"replica": 2}, {"replicas": "two"}, {"template": "none"}])
def test_a_manifest_that_is_wrong_is_told(wrong: dict[str, Any]) -> None:
    document = deepcopy(OBJECTS["Deployment"])
    document["spec"] |= wrong
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(document, NEWEST, strict=True)


def test_every_manifest_is_applied_and_none_is_missing() -> None:
    listed = _read(FOLDER / "kustomization.yaml")["resources"]
    assert sorted(listed) == [file.name for file in FILES]
    kinds = "Deployment Service HorizontalPodAutoscaler PodDisruptionBudget NetworkPolicy ServiceAccount"
    assert OBJECTS.keys() == {*kinds.split()}


def test_a_container_can_do_nothing_but_run() -> None:
    for container in CONTAINERS:
        context = container["securityContext"]
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert context["readOnlyRootFilesystem"] is True
        assert context["allowPrivilegeEscalation"] is False
        assert context["privileged"] is False
    pod = POD["securityContext"]
    assert pod["runAsNonRoot"] is True
    assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not any(POD.get(name) for name in ("hostNetwork", "hostPID", "hostIPC"))
    assert not any("hostPath" in volume for volume in POD["volumes"])


def test_the_user_is_the_one_of_the_image() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert f"\nUSER {POD['securityContext']['runAsUser']}\n" in dockerfile


def test_no_token_of_the_cluster_is_in_the_pod() -> None:
    assert POD["serviceAccountName"] == OBJECTS["ServiceAccount"]["metadata"]["name"]
    assert POD["automountServiceAccountToken"] is False
    assert OBJECTS["ServiceAccount"]["automountServiceAccountToken"] is False


def test_a_container_has_requests_and_limits() -> None:
    for container in CONTAINERS:
        for kind in ("requests", "limits"):
            assert container["resources"][kind].keys() >= {"cpu", "memory"}, kind


def test_what_is_written_is_written_to_memory_and_counts_within_the_limit() -> None:
    (container,) = CONTAINERS
    memory = {volume["name"]: volume["emptyDir"] for volume in POD["volumes"] if "emptyDir" in volume}
    assert all(volume["medium"] == "Memory" and volume["sizeLimit"].endswith("Mi") for volume in memory.values())
    mounted = {mount["name"]: mount for mount in container["volumeMounts"]}
    assert mounted.keys() == {volume["name"] for volume in POD["volumes"]}
    assert all(mount.get("readOnly") for name, mount in mounted.items() if name not in memory)
    places = {mount["mountPath"] for name, mount in mounted.items() if name in memory}
    assert places == {"/dev/shm"}
    limit = int(container["resources"]["limits"]["memory"].removesuffix("Mi"))
    assert sum(int(volume["sizeLimit"].removesuffix("Mi")) for volume in memory.values()) * 4 < limit


def test_keys_come_from_a_secret_and_anonymous_access_is_not_switched_on() -> None:
    (container,) = CONTAINERS
    environment = {item["name"]: item["value"] for item in container["env"]}
    assert "LUMBAR_ANONYMOUS" not in environment
    secrets = {volume["name"] for volume in POD["volumes"] if "secret" in volume}
    folders = [mount["mountPath"] for mount in container["volumeMounts"] if mount["name"] in secrets]
    assert [environment["LUMBAR_API_KEYS_FILE"].startswith(f"{folder}/") for folder in folders] == [True]


def test_probes_ask_routes_that_the_contract_has() -> None:
    routes = yaml.load((ROOT / "openapi.yaml").read_text(encoding="utf-8"), yaml.CSafeLoader)["paths"]
    (container,) = CONTAINERS
    asked = {probe: container[probe]["httpGet"]["path"] for probe in PROBES}
    assert asked == {"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"}
    assert all("get" in routes[path] for path in asked.values())


def test_ports_meet_from_the_image_to_the_service() -> None:
    (container,), (served,) = CONTAINERS, OBJECTS["Service"]["spec"]["ports"]
    (port,) = container["ports"]
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert f"EXPOSE {port['containerPort']}\n" in dockerfile
    assert f'"--bind", "0.0.0.0:{port["containerPort"]}"' in dockerfile
    assert served["targetPort"] == port["name"]
    assert all(container[probe]["httpGet"]["port"] == port["name"] for probe in PROBES)
    (allowed,) = OBJECTS["NetworkPolicy"]["spec"]["ingress"]
    assert [item["port"] for item in allowed["ports"]] == [port["name"]]


def test_every_selector_finds_the_pods() -> None:
    spread = [constraint["labelSelector"] for constraint in POD["topologySpreadConstraints"]]
    assert len(spread) == 2
    selectors = [OBJECTS[kind]["spec"]["selector"]["matchLabels"] for kind in ("Deployment", "PodDisruptionBudget")]
    selectors += [
        OBJECTS["Service"]["spec"]["selector"],
        OBJECTS["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
    ]
    for selector in selectors + [found["matchLabels"] for found in spread]:
        assert selector
        assert selector.items() <= LABELS.items()


def test_the_network_lets_in_only_who_is_named_and_nothing_out() -> None:
    policy = OBJECTS["NetworkPolicy"]["spec"]
    assert {*policy["policyTypes"]} == {"Ingress", "Egress"}
    assert policy["egress"] == []
    for rule in policy["ingress"]:
        assert rule["from"]
        assert all(peer["namespaceSelector"]["matchLabels"] for peer in rule["from"])


def test_the_autoscaler_and_the_budget_leave_somebody_serving() -> None:
    scaler, deployment = OBJECTS["HorizontalPodAutoscaler"]["spec"], OBJECTS["Deployment"]
    target = scaler["scaleTargetRef"]
    assert (target["apiVersion"], target["kind"], target["name"]) == (
        deployment["apiVersion"],
        deployment["kind"],
        deployment["metadata"]["name"],
    )
    assert "replicas" not in deployment["spec"], "each apply would undo the autoscaler"
    assert scaler["minReplicas"] > OBJECTS["PodDisruptionBudget"]["spec"]["maxUnavailable"] > 0


def test_a_roll_out_never_has_a_pod_too_few_and_lets_requests_finish() -> None:
    assert OBJECTS["Deployment"]["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    (container,) = CONTAINERS
    command = container["lifecycle"]["preStop"]["exec"]["command"]
    sleep = int(command[-1].rpartition("(")[2].rstrip(")"))
    readiness = container["readinessProbe"]
    assert sleep >= readiness["periodSeconds"], "endpoints are told before the server stops listening"
    graceful = runpy.run_path(str(ROOT / "gunicorn.conf.py"))["graceful_timeout"]
    assert POD["terminationGracePeriodSeconds"] > sleep + graceful


def test_there_is_a_worker_for_each_core_of_the_limit() -> None:
    """Counted by itself, gunicorn would start one for each core of the node, and memory would not do."""
    (container,) = CONTAINERS
    environment = {item["name"]: item["value"] for item in container["env"]}
    assert environment["GUNICORN_CMD_ARGS"] == f"--workers={container['resources']['limits']['cpu']}"
