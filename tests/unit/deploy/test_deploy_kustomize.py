"""deploy/kustomize: every manifest is valid, careful, and agrees with the services."""

import re
from pathlib import Path

import kubernetes_validate
import pytest

from tests.unit.deploy.yamls import (
    BASE,
    EXAMPLE,
    FLOW,
    ROOT,
    Table,
    at,
    default_port,
    documents,
    env_file,
    items,
    known_variables,
    required_variables,
    strings,
    table,
)
from todoke_shared.accounts import Config
from todoke_shared.settings import Settings

OLDEST = "1.35"
"""Kubernetes mends its newest three minor releases (its version skew policy); the newest one is below."""
VERSIONS = (OLDEST, kubernetes_validate.latest_version())

KUSTOMIZATION = BASE / "kustomization.yaml"
MANIFESTS = [
    (path, document) for path in sorted(BASE.glob("*.yaml")) if path != KUSTOMIZATION for document in documents(path)
]
NAMES = [f"{path.stem}-{document['kind']}-{at(document, 'metadata', 'name')}" for path, document in MANIFESTS]


def manifest(kind: str, name: str) -> Table:
    """The one manifest of a kind and name."""
    [found] = [d for _, d in MANIFESTS if d["kind"] == kind and at(d, "metadata", "name") == name]
    return found


def pods() -> dict[str, Table]:
    """The pod templates' specs, by the program that runs in them."""
    pods = {name: at(manifest("Deployment", name), "spec", "template", "spec") for name in FLOW}
    pods["migrate"] = at(manifest("Job", "migrate"), "spec", "template", "spec")
    return {name: table(pod) for name, pod in pods.items()}


def container(name: str) -> Table:
    """A program's one container."""
    [only] = items(pods()[name]["containers"])
    return table(only)


def variables(name: str) -> dict[str, Table]:
    """A container's own environment by name."""
    return {str(at(entry, "name")): table(entry) for entry in items(container(name)["env"])}


PROGRAMS = (*FLOW, "migrate")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("document", [document for _, document in MANIFESTS], ids=NAMES)
def test_every_manifest_is_valid_with_no_unknown_field(document: Table, version: str) -> None:
    """Kubernetes' own schema, strictly: a misspelt field would be dropped in silence by the cluster."""
    kubernetes_validate.validate(document, version, strict=True)


def test_the_kustomization_lists_every_file() -> None:
    """A file that is not listed would not be deployed."""
    [kustomization] = documents(KUSTOMIZATION)
    listed = {str(name) for name in items(kustomization["resources"])}
    listed |= {
        str(env) for generator in items(kustomization["configMapGenerator"]) for env in items(at(generator, "envs"))
    }
    assert listed == {path.name for path in BASE.iterdir()} - {KUSTOMIZATION.name}


def test_each_service_has_a_file_with_all_it_needs() -> None:
    """Its account, its Deployment, its Service, its disruption budget and its network policy."""
    for name in FLOW:
        kinds = [document["kind"] for path, document in MANIFESTS if path.stem == name]
        assert kinds == ["ServiceAccount", "Deployment", "Service", "PodDisruptionBudget", "NetworkPolicy"]
        for kind in kinds:
            manifest(str(kind), name)


@pytest.mark.parametrize("name", FLOW)
def test_each_service_has_its_three_probes_on_its_port(name: str) -> None:
    """Started and ready are /readyz, alive is /healthz, on the port that the settings have; the Service leads there."""
    main = container(name)
    [port] = items(main["ports"])
    assert port == {"name": "http", "containerPort": default_port(name)}
    assert at(variables(name)[f"TODOKE_{name.upper()}_PORT"], "value") == str(default_port(name))
    for probe, path in (("startupProbe", "/readyz"), ("readinessProbe", "/readyz"), ("livenessProbe", "/healthz")):
        assert at(main, probe, "httpGet") == {"path": path, "port": "http"}
    service = manifest("Service", name)
    assert items(at(service, "spec", "ports")) == [{"name": "http", "port": default_port(name), "targetPort": "http"}]


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_pod_is_restricted(name: str) -> None:
    """No root, nothing writable but /tmp, no privileges to gain, no token of the cluster, and limits."""
    pod, main = pods()[name], container(name)
    assert at(pod, "securityContext", "runAsNonRoot") is True
    assert at(pod, "securityContext", "runAsUser") == 10001
    assert at(pod, "securityContext", "seccompProfile", "type") == "RuntimeDefault"
    assert main["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    writable = [table(mount) for mount in items(main["volumeMounts"]) if not table(mount).get("readOnly")]
    assert writable == [{"name": "tmp", "mountPath": "/tmp"}]  # noqa: S108 - the pod's own, in memory and empty
    assert pod["automountServiceAccountToken"] is False
    assert pod["serviceAccountName"] == name
    assert manifest("ServiceAccount", name)["automountServiceAccountToken"] is False
    assert set(table(at(main, "resources", "limits"))) == {"cpu", "memory"}
    assert set(table(at(main, "resources", "requests"))) == {"cpu", "memory"}


def test_the_namespace_enforces_the_restricted_standard() -> None:
    """So that Kubernetes refuses what these tests would not see."""
    labels = table(at(manifest("Namespace", "todoke"), "metadata", "labels"))
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


@pytest.mark.parametrize("name", FLOW)
def test_a_pod_may_drain_before_it_is_killed(name: str) -> None:
    """30 seconds, above the drain and what comes before it."""
    pod = pods()[name]
    assert pod["terminationGracePeriodSeconds"] == 30
    before = at(container(name), "lifecycle", "preStop", "sleep", "seconds") if "lifecycle" in container(name) else 0
    assert int(str(before)) + Settings.model_fields["drain_seconds"].default < 30


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_variable_is_a_setting_of_its_program(name: str) -> None:
    """A misspelt name would be ignored in silence; a missing one would stop the start."""
    given = set(variables(name)) | set(env_file(BASE / "settings.env"))
    unknown = given - known_variables(name)
    # What all services share may mean nothing to the one-shot.
    assert unknown <= ({"TODOKE_LOG_LEVEL"} if name == "migrate" else set())
    assert required_variables(name) <= given
    assert items(container(name)["envFrom"]) == [{"configMapRef": {"name": "todoke-settings"}}]


@pytest.mark.parametrize("name", PROGRAMS)
def test_no_variable_comes_from_kubernetes_itself(name: str) -> None:
    """Service links would set TODOKE_…_PORT to `tcp://…` for a Service of such a name."""
    assert pods()[name]["enableServiceLinks"] is False


def test_secrets_are_named_and_not_held() -> None:
    """No manifest is a Secret, each program has its own connection string, and only two have LINE's secrets."""
    assert not [document for _, document in MANIFESTS if document["kind"] == "Secret"]
    for name in PROGRAMS:
        dsn = variables(name)["TODOKE_POSTGRES_DSN"]
        key = "owner-dsn" if name == "migrate" else f"{name}-dsn"
        assert at(dsn, "valueFrom", "secretKeyRef") == {"name": "todoke-postgres", "key": key}
        assert "value" not in dsn
        assert ("todoke-line" in set(strings(pods()[name]))) is (name in ("ingest", "dispatcher"))
    for _, document in MANIFESTS:
        assert not [text for text in strings(document) if re.search(r"://[^/@\s]*:[^/@\s]*@", text)]


def test_nobody_talks_to_anybody_unless_allowed() -> None:
    """Everything is denied, and each program's own policy says what it may."""
    deny = table(manifest("NetworkPolicy", "default-deny")["spec"])
    assert deny == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for name in PROGRAMS:
        policy = table(manifest("NetworkPolicy", name)["spec"])
        assert at(policy, "podSelector", "matchLabels") == {"app.kubernetes.io/name": name}
        ports = {at(p, "port") for rule in items(policy["egress"]) for p in items(at(rule, "ports"))}
        assert ports == {9092, 5432} | ({443} if name in ("dispatcher", "ingest") else set()), name
        inward = [at(p, "port") for rule in items(policy.get("ingress", [])) for p in items(at(rule, "ports"))]
        assert inward == ([] if name == "migrate" else [default_port(name)])


def test_labels_and_selectors_meet() -> None:
    """A selector that finds no pod deploys nothing, balances nothing and protects nothing."""
    for name in FLOW:
        wanted = {"app.kubernetes.io/name": name}
        labels = table(at(manifest("Deployment", name), "spec", "template", "metadata", "labels"))
        assert wanted.items() <= labels.items()
        assert at(manifest("Deployment", name), "spec", "selector", "matchLabels") == wanted
        assert at(manifest("Service", name), "spec", "selector") == wanted
        assert at(manifest("PodDisruptionBudget", name), "spec", "selector", "matchLabels") == wanted


def test_every_image_has_a_version_that_the_example_sets() -> None:
    """The overlay's list of images names each of the base's, with a tag that does not move."""
    [example] = documents(EXAMPLE / "kustomization.yaml")
    tags = {str(at(image, "name")): str(at(image, "newTag")) for image in items(example["images"])}
    names = set()
    for program in PROGRAMS:
        name, _, tag = str(container(program)["image"]).partition(":")
        assert re.fullmatch(r"\d+\.\d+\.\d+", tag)
        names.add(name)
    assert names == set(tags)
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", tag) for tag in tags.values())


def test_the_example_gives_what_the_base_names() -> None:
    """Its generators make the Secrets and ConfigMaps, with the keys and files, that the pods ask for."""
    [example] = documents(EXAMPLE / "kustomization.yaml")
    secrets = {
        str(at(s, "name")): {Path(str(f)).name for f in items(at(s, "files"))}
        for s in items(example["secretGenerator"])
    }
    assert secrets["todoke-postgres"] == {"owner-dsn", *(f"{name}-dsn" for name in FLOW)}
    [accounts] = documents(EXAMPLE / "accounts.yaml")
    named = {
        Path(reference.removeprefix("file:/run/secrets/line/")).name
        for account in Config.model_validate(accounts).accounts.values()
        for reference in (*account.channel_secrets, account.access_token or "")
    }
    assert secrets["todoke-line"] == named
    configs = {str(at(c, "name")) for c in items(example["configMapGenerator"])}
    assert configs == {"todoke-settings", "todoke-accounts", "todoke-links"}
    assert {at(replica, "name") for replica in items(example["replicas"])} == set(FLOW)
    assert set(env_file(EXAMPLE / "settings.env")) <= set(env_file(BASE / "settings.env"))


def test_the_example_keeps_its_secrets_out_of_git() -> None:
    """The files that it reads secrets from are in a folder that git ignores."""
    [example] = documents(EXAMPLE / "kustomization.yaml")
    sources = [str(source) for s in items(example["secretGenerator"]) for source in items(at(s, "files"))]
    assert all(source.startswith("secrets/") for source in sources)
    assert (EXAMPLE / ".gitignore").read_text(encoding="utf-8").split() == ["secrets/"]
    assert not [s for s in items(example["secretGenerator"]) if "literals" in table(s)]


def test_segments_are_published_beside_campaigns_and_before_them() -> None:
    """No pod holds files of either: where the page says how to publish, it says both, and the segments first."""
    page = (ROOT / "deploy/README.md").read_text(encoding="utf-8")
    kubernetes = page.partition("## Kubernetes")[2].partition("\n## ")[0]
    published = re.findall(r"^todoke (segments|campaigns) publish (\w+)$", kubernetes, re.MULTILINE)
    assert published == [("segments", "segments"), ("campaigns", "campaigns")]
    assert all((ROOT / folder).is_dir() for _, folder in published)
