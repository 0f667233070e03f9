"""deploy/kubernetes: each built-in object is valid in strict mode and agrees with what the processes do.

Nothing is rendered: the lists and the patches of the overlays are followed by hand. Of kinds that a cluster learns from its operators the
part that we use is in crds/, named by its source.
"""

from functools import reduce
from typing import Any

import kubernetes_validate
import pytest
import yaml
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from deploy.__main__ import RunMode
from deploy.app_info import APP_INFO
from models.platform.settings import Settings
from models.tickets.messages import TASK_QUEUE
from tests.deploy.prometheus_rule import OBJECT, as_object
from tests.support.isolated import ROOT
from worker import GRACE

FOLDER = ROOT / "deploy" / "kubernetes"
LISTS = sorted(FOLDER.rglob("kustomization.yaml"))
FILES = sorted(path for path in FOLDER.rglob("*.yaml") if path not in LISTS)
OBJECTS: list[dict[str, Any]] = [each for path in FILES for each in yaml.safe_load_all(path.read_text())]
SCHEMAS: dict[str, Any] = {}
for file in (ROOT / "tests" / "deploy" / "crds").iterdir():
    SCHEMAS |= yaml.safe_load(file.read_text())
FOREIGN = [each for each in OBJECTS if each["kind"] in SCHEMAS]
BUILT_IN = [each for each in OBJECTS if each["kind"] not in SCHEMAS]
VERSIONS = {"keda.sh/v1alpha1", "monitoring.coreos.com/v1", "temporal.io/v1alpha1"}
PODS = {each["metadata"]["name"]: each["spec"]["template"] for each in BUILT_IN if each["kind"] in {"Deployment", "Job"}}


def one(kind: str, name: str) -> dict[str, Any]:
    return next(each for each in OBJECTS if (each["kind"], each["metadata"]["name"]) == (kind, name))


def name_of(each: dict[str, Any]) -> str:
    return f"{each['kind']}-{each['metadata']['name']}"


@pytest.mark.parametrize("each", BUILT_IN, ids=name_of)
def test_each_built_in_object_is_valid_in_strict_mode(each: dict[str, Any]) -> None:
    kubernetes_validate.validate(each, "1.37", strict=True)


@pytest.mark.parametrize("each", FOREIGN, ids=name_of)
def test_each_object_of_an_operator_keeps_to_the_part_of_its_schema_that_we_use(each: dict[str, Any]) -> None:
    assert each["apiVersion"] in VERSIONS
    Draft202012Validator(SCHEMAS[each["kind"]]).validate(each["spec"])


def test_the_schemas_of_operators_refuse_what_they_do_not_know() -> None:
    for kind in ("ScaledObject", "ServiceMonitor", "WorkerDeployment"):
        known = next(each for each in FOREIGN if each["kind"] == kind)
        assert not Draft202012Validator(SCHEMAS[kind]).is_valid(known["spec"] | {"replicass": 1})


def test_versioned_workers_are_those_of_the_base_but_for_their_version() -> None:
    template = one("WorkerDeployment", "helpdesk-worker")["spec"]["template"]
    deployment = one("Deployment", "helpdesk-worker")
    kubernetes_validate.validate(deployment | {"spec": deployment["spec"] | {"template": template}}, "1.37", strict=True)
    (container,) = template["spec"]["containers"]
    version = container.pop("command")
    assert template == deployment["spec"]["template"]
    assert version[:2] == ["sh", "-c"]
    assert version[2].endswith("exec python -m deploy")


def test_a_version_is_scaled_as_the_unversioned_workers_are() -> None:
    owned = one("WorkerResourceTemplate", "helpdesk-worker")["spec"]["template"]
    Draft202012Validator(SCHEMAS["ScaledObject"]).validate(owned["spec"])
    unversioned = one("ScaledObject", "helpdesk-worker")
    assert (owned["apiVersion"], owned["kind"]) == (unversioned["apiVersion"], unversioned["kind"])
    versioned = {name: value for name, value in owned["spec"]["triggers"][0]["metadata"].items() if value}
    same = {name: value for name, value in unversioned["spec"]["triggers"][0]["metadata"].items() if name != "namespace"}
    assert (versioned, owned["spec"]["scaleTargetRef"]) == (same, {})
    assert owned["spec"]["minReplicaCount"] >= 1


def test_what_an_overlay_patches_is_in_the_base() -> None:
    for path in LISTS:
        for patch in yaml.safe_load(path.read_text()).get("patches", []):
            at, said = one(patch["target"]["kind"], patch["target"]["name"]), yaml.safe_load(patch["patch"])
            if isinstance(said, dict):  # a strategic merge, which names its object once more
                assert name_of(said) == name_of(at)
                continue
            for step in said:  # RFC 6902
                assert step["op"] == "remove"
                folder, _, last = step["path"].removeprefix("/").rpartition("/")
                assert last in reduce(lambda tree, name: tree[name], folder.split("/"), at)


def test_no_two_objects_of_an_overlay_have_one_name() -> None:
    for path in LISTS:
        listed = [path.parent / each for each in yaml.safe_load(path.read_text())["resources"] if each.endswith(".yaml")]
        names = [name_of(each) for file in listed for each in yaml.safe_load_all(file.read_text())]
        assert len(names) == len(set(names))


def test_the_operators_alerts_are_those_of_prometheus() -> None:
    assert OBJECT.read_text() == as_object(), "make it anew: python -m tests.deploy.prometheus_rule"


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
