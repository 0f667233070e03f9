"""deploy/kubernetes: each built-in object is valid in strict mode and agrees with what the processes do. Nothing is rendered."""

from typing import Any

import kubernetes_validate
import pytest
import yaml

from deploy.__main__ import RunMode
from deploy.app_info import APP_INFO
from models.platform.settings import Settings
from models.tickets.messages import TASK_QUEUE
from tests.support.isolated import ROOT
from worker import GRACE

FOLDER = ROOT / "deploy" / "kubernetes"
LISTS = sorted(FOLDER.rglob("kustomization.yaml"))
FILES = sorted(path for path in FOLDER.rglob("*.yaml") if path not in LISTS)
OBJECTS: list[dict[str, Any]] = [each for path in FILES for each in yaml.safe_load_all(path.read_text())]
FOREIGN = ("keda.sh/", "monitoring.coreos.com/")
"""Kinds that a cluster learns from its operators: their schemas are not here."""
BUILT_IN = [each for each in OBJECTS if not each["apiVersion"].startswith(FOREIGN)]
PODS = {each["metadata"]["name"]: each["spec"]["template"] for each in BUILT_IN if each["kind"] in {"Deployment", "Job"}}


def one(kind: str, name: str) -> dict[str, Any]:
    return next(each for each in OBJECTS if (each["kind"], each["metadata"]["name"]) == (kind, name))


def name_of(each: dict[str, Any]) -> str:
    return f"{each['kind']}-{each['metadata']['name']}"


@pytest.mark.parametrize("each", BUILT_IN, ids=name_of)
def test_each_built_in_object_is_valid_in_strict_mode(each: dict[str, Any]) -> None:
    kubernetes_validate.validate(each, "1.37", strict=True)


def test_strict_mode_refuses_what_it_does_not_know() -> None:
    wrong = one("Service", "helpdesk-api") | {"specs": {}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, "1.37", strict=True)


def test_every_file_is_in_the_list_of_its_folder() -> None:
    for path in LISTS:
        named = yaml.safe_load(path.read_text())["resources"]
        assert {each.name for each in path.parent.glob("*.yaml")} - {path.name} == {each for each in named if each.endswith(".yaml")}
        assert all((path.parent / each).exists() for each in named)


@pytest.mark.parametrize("name", PODS)
def test_a_pod_has_no_rights_that_it_does_not_need(name: str) -> None:
    spec = PODS[name]["spec"]
    (container,) = spec["containers"]
    assert (spec["securityContext"]["runAsNonRoot"], spec["automountServiceAccountToken"]) == (True, False)
    assert f"USER {spec['securityContext']['runAsUser']}\n" in (ROOT / "deploy" / "Dockerfile").read_text()
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip
    assert container["env"][0]["value"] in set(RunMode)
    assert {"requests", "limits"} == set(container["resources"])


def test_the_ports_are_those_at_which_the_processes_listen() -> None:
    ports = {name: {each["name"]: each["containerPort"] for each in PODS[name]["spec"]["containers"][0].get("ports", [])} for name in PODS}
    assert ports["helpdesk-api"]["http"] == Settings.model_fields["http_port"].default
    assert ports["helpdesk-worker"]["probes"] == Settings.model_fields["worker_port"].default
    assert one("Service", "helpdesk-api")["spec"]["ports"][0] == {"name": "http", "port": APP_INFO.port, "targetPort": "http"}


def test_a_worker_has_longer_to_end_than_its_activities() -> None:
    assert PODS["helpdesk-worker"]["spec"]["terminationGracePeriodSeconds"] > GRACE.total_seconds()


def test_workers_are_scaled_by_the_queue_of_tickets_and_never_to_none() -> None:
    spec = one("ScaledObject", "helpdesk-worker")["spec"]
    assert spec["minReplicaCount"] >= 1
    assert spec["triggers"][0]["metadata"]["taskQueue"] == TASK_QUEUE
    assert one("Deployment", spec["scaleTargetRef"]["name"])


def test_whatever_selects_pods_finds_some() -> None:
    labels = [template["metadata"]["labels"] for template in PODS.values()]
    for each in OBJECTS:
        wanted = each["spec"].get("podSelector") or each["spec"].get("selector")
        if wanted:
            assert wanted.get("matchLabels", wanted) in labels, name_of(each)
