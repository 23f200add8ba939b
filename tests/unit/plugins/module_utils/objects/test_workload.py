from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Endpoint, Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.workload import (
    deployment,
    service_account,
)
from examples import router

OPENSHIFT = Facts(platform="openshift")
HASH = "vllm.ai/config-hash"


def spec(facts: Facts | None = None, **wanted: Any) -> dict[str, Any]:
    (built,) = deployment(router(**wanted), facts or Facts())
    return dict(built["spec"])


def template(facts: Facts | None = None, **wanted: Any) -> dict[str, Any]:
    return dict(spec(facts, **wanted)["template"])


def pod(facts: Facts | None = None, **wanted: Any) -> dict[str, Any]:
    return dict(template(facts, **wanted)["spec"])


def containers(facts: Facts | None = None, **wanted: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    semantic_router, envoy = pod(facts, **wanted)["containers"]
    assert (semantic_router["name"], envoy["name"]) == ("semantic-router", "envoy-proxy")
    return semantic_router, envoy


def environment(**wanted: Any) -> dict[str, dict[str, Any]]:
    variables = containers(**wanted)[0]["env"]
    names = [variable["name"] for variable in variables]
    assert len(names) == len(set(names)), "a server-side apply refuses a name given twice"
    return {variable["name"]: variable for variable in variables}


def keys(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value) | {key for item in value.values() for key in keys(item)}
    if isinstance(value, list):
        return {key for item in value for key in keys(item)}
    return set()


class TestServiceAccount:
    def test_it_is_named_as_the_router(self):
        (built,) = service_account(router(), Facts())

        assert built["kind"] == "ServiceAccount"
        assert built["metadata"]["name"] == "my-router"
        assert pod()["serviceAccountName"] == "my-router"

    def test_it_takes_name_and_annotations(self):
        wanted = {"name": "inference", "annotations": {"role": "models"}}

        (built,) = service_account(router(serviceAccount=wanted), Facts())

        assert built["metadata"]["name"] == "inference"
        assert built["metadata"]["annotations"] == {"role": "models"}
        assert pod(serviceAccount=wanted)["serviceAccountName"] == "inference"

    @pytest.mark.parametrize(
        ("wanted", "used"),
        [({"create": False, "name": "mine"}, "mine"), ({"create": False}, "default")],
    )
    def test_one_that_the_user_brings_is_used_and_not_built(
        self, wanted: dict[str, Any], used: str
    ):
        assert service_account(router(serviceAccount=wanted), Facts()) == []
        assert pod(serviceAccount=wanted)["serviceAccountName"] == used

    def test_pods_get_no_token_for_the_api_server(self):
        assert pod()["automountServiceAccountToken"] is False


class TestImages:
    def test_defaults_come_from_the_crd(self):
        semantic_router, envoy = containers()

        assert semantic_router["image"] == "ghcr.io/vllm-project/semantic-router/extproc:v0.4.0"
        assert envoy["image"].startswith("docker.io/envoyproxy/envoy:v")

    def test_the_registry_goes_in_front_of_every_image(self):
        semantic_router, envoy = containers(
            image={"imageRegistry": "mirror.example.com/", "tag": "v0.4.0"}
        )

        assert (
            semantic_router["image"]
            == "mirror.example.com/ghcr.io/vllm-project/semantic-router/extproc:v0.4.0"
        )
        assert envoy["image"].startswith("mirror.example.com/docker.io/envoyproxy/envoy:")

    def test_an_empty_registry_is_none(self):
        assert containers(image={"imageRegistry": ""}) == containers()

    @pytest.mark.parametrize(
        ("repository", "tag", "image"),
        [
            ("example.com/r", "sha256:0a1b", "example.com/r@sha256:0a1b"),
            ("example.com/r", "v1@sha256:0a1b", "example.com/r:v1@sha256:0a1b"),
            ("example.com/r@sha256:0a1b", "latest", "example.com/r@sha256:0a1b"),
            ("localhost:5000/r", "v1", "localhost:5000/r:v1"),
            ("example.com/r", "", "example.com/r"),
        ],
    )
    def test_digests_and_ports_are_understood(self, repository: str, tag: str, image: str):
        wanted = {"repository": repository, "tag": tag}

        semantic_router, envoy = containers(image=wanted, envoy={"image": wanted})

        assert semantic_router["image"] == image
        assert envoy["image"] == image

    def test_each_image_has_its_pull_policy(self):
        semantic_router, envoy = containers(
            image={"pullPolicy": "Always"}, envoy={"image": {"pullPolicy": "Never"}}
        )

        assert semantic_router["imagePullPolicy"] == "Always"
        assert envoy["imagePullPolicy"] == "Never"

    def test_pull_secrets_are_the_pods(self):
        secrets = [{"name": "ghcr-secret"}]

        assert pod(imagePullSecrets=secrets)["imagePullSecrets"] == secrets
        assert "imagePullSecrets" not in pod()


class TestArguments:
    def test_the_router_gets_the_pods_ports(self):
        wanted = {
            "api": {"targetPort": 8081},
            "grpc": {"targetPort": 9000},
            "metrics": {"targetPort": 9100},
        }

        semantic_router, envoy = containers(service=wanted)

        assert semantic_router["args"] == [
            "-config=/etc/semantic-router/config.yaml",
            "-port=9000",
            "-api-port=8082",
            "-metrics-port=9100",
        ]
        assert envoy["ports"] == [{"name": "api", "containerPort": 8081, "protocol": "TCP"}]

    def test_the_users_come_last(self):
        semantic_router, envoy = containers(args=["--secure=false"])

        assert semantic_router["args"][-1] == "--secure=false"
        assert "--secure=false" not in envoy["args"]

    def test_no_flag_is_given_that_a_router_0_3_lacks(self):
        flags = {argument.split("=")[0] for argument in containers()[0]["args"]}

        assert flags <= {"-config", "-port", "-api-port", "-metrics-port"}

    def test_metrics_port_is_declared_only_when_enabled(self):
        declared = containers(service={"metrics": {"enabled": False}})[0]["ports"]

        assert [port["name"] for port in declared] == ["grpc"]


class TestEnvironment:
    def test_it_points_at_the_mounted_configuration_and_a_writable_home(self):
        mounts = {m["name"]: m["mountPath"] for m in containers()[0]["volumeMounts"]}

        assert environment()["CONFIG_FILE"]["value"] == f"{mounts['config']}/config.yaml"
        assert environment()["HOME"]["value"] == mounts["home"]

    def test_the_users_variables_are_taken_as_they_are(self):
        token = {
            "name": "HF_TOKEN",
            "valueFrom": {"secretKeyRef": {"name": "hf-token-secret", "key": "token"}},
        }

        assert environment(env=[token])["HF_TOKEN"] == token

    def test_the_user_may_move_home_but_not_the_configuration(self):
        found = environment(
            env=[{"name": "HOME", "value": "/data"}, {"name": "CONFIG_FILE", "value": "/x"}]
        )

        assert found["HOME"]["value"] == "/data"
        assert found["CONFIG_FILE"]["value"] == "/etc/semantic-router/config.yaml"

    def test_a_proxy_is_told_unless_the_user_tells_another(self):
        proxy = {"url": "http://proxy.example.com:3128"}
        own = {"name": "HTTPS_PROXY", "value": "http://other.example.com:8080"}

        assert environment(egressProxy=proxy)["HTTPS_PROXY"]["value"] == proxy["url"]
        assert environment(egressProxy=proxy, env=[own])["HTTPS_PROXY"] == own
        assert "HTTPS_PROXY" not in environment()

    def test_the_operators_proxy_is_told_unless_the_user_tells_another(self):
        facts = Facts(inherited={"HTTPS_PROXY": "http://corp.example:3128", "NO_PROXY": ".corp"})

        def told(**wanted: Any) -> dict[str, str]:
            variables = containers(facts, **wanted)[0]["env"]
            return {item["name"]: item.get("value", "") for item in variables}

        assert told()["HTTPS_PROXY"] == "http://corp.example:3128"
        assert told()["NO_PROXY"].endswith(".svc.cluster.local,.corp")
        for name in ("HTTPS_PROXY", "https_proxy"):
            own = told(env=[{"name": name, "value": ""}])
            assert [own.get(key) for key in ("HTTPS_PROXY", "https_proxy") if key in own] == [""]
        assert told(egressProxy={"url": "http://other:1"})["HTTPS_PROXY"] == "http://other:1"

    def test_passwords_arrive_by_reference(self):
        connection = {"host": "redis", "password_secret_ref": {"name": "cache", "key": "password"}}

        found = environment(
            config={
                "response_cache": {"backend_type": "redis", "redis": {"connection": connection}}
            }
        )

        references = [
            variable["valueFrom"]["secretKeyRef"]
            for name, variable in found.items()
            if name.startswith("SR_")
        ]
        assert [(r["name"], r["key"]) for r in references] == [("cache", "password")]


class TestProbes:
    def test_by_default_all_wait_for_the_grpc_port(self):
        semantic_router, _envoy = containers(service={"grpc": {"targetPort": 9000}})

        for name in ("startupProbe", "livenessProbe", "readinessProbe"):
            assert semantic_router[name]["tcpSocket"] == {"port": 9000}

    def test_the_startup_probe_gives_models_an_hour_by_default(self):
        probe = containers()[0]["startupProbe"]

        assert probe["periodSeconds"] * probe["failureThreshold"] == 3600

    def test_a_probe_that_is_switched_off_is_not_there(self):
        semantic_router, _envoy = containers(livenessProbe={"enabled": False})

        assert "livenessProbe" not in semantic_router
        assert "readinessProbe" in semantic_router

    def test_the_switch_itself_reaches_no_manifest(self):
        semantic_router, _envoy = containers(startupProbe={"enabled": True})

        assert "enabled" not in keys(semantic_router)

    @pytest.mark.parametrize(
        "handler",
        [
            {"httpGet": {"path": "/health", "port": 8080}},
            {"tcpSocket": {"port": 1234}},
            {"grpc": {"port": 50051, "service": "router"}},
            {"exec": {"command": ["true"]}},
        ],
    )
    def test_the_users_handler_replaces_ours(self, handler: dict[str, Any]):
        probe = containers(readinessProbe={**handler, "periodSeconds": 7})[0]["readinessProbe"]

        assert handler.items() <= probe.items()
        assert probe["periodSeconds"] == 7
        assert len({"httpGet", "tcpSocket", "grpc", "exec"} & set(probe)) == 1

    @pytest.mark.parametrize(
        ("name", "number"), [("api", 8000), ("grpc", 9000), ("metrics", 9100), ("other", "other")]
    )
    def test_a_port_may_be_named_though_another_container_has_it(
        self, name: str, number: int | str
    ):
        ports = {"api": 8000, "grpc": 9000, "metrics": 9100}
        service = {name: {"targetPort": port} for name, port in ports.items()}
        wanted = {"httpGet": {"path": "/ready", "port": name}}

        probe = containers(readinessProbe=wanted, service=service)[0]["readinessProbe"]

        assert probe["httpGet"] == {"path": "/ready", "port": number}

    def test_a_long_first_start_is_no_failed_rollout(self):
        wanted = {"initialDelaySeconds": 60, "periodSeconds": 10, "failureThreshold": 720}

        assert spec(startupProbe=wanted)["progressDeadlineSeconds"] > 60 + 7200

    def test_envoy_is_ready_when_it_listens(self):
        _router, envoy = containers(service={"api": {"targetPort": 8000}})

        assert envoy["readinessProbe"]["tcpSocket"] == {"port": 8000}


class TestVolumes:
    def test_every_mount_has_its_volume_and_every_volume_a_mount(self):
        built = pod()

        mounted = {m["name"] for c in built["containers"] for m in c["volumeMounts"]}
        assert mounted == {volume["name"] for volume in built["volumes"]}

    def test_no_mount_hides_what_the_image_brings(self):
        paths = {mount["mountPath"] for mount in containers()[0]["volumeMounts"]}

        assert not paths & {"/app", "/app/config", "/app/lib"}

    def test_configuration_is_mounted_whole_so_that_it_reloads(self):
        for container in containers():
            assert all("subPath" not in mount for mount in container["volumeMounts"])

    @pytest.mark.parametrize(
        "path",
        ["/.cache", "/app/.vllm-sr", "/var/log", "/var/run", "/tmp"],  # noqa: S108
    )
    def test_a_random_user_can_write(self, path: str):
        built = pod(OPENSHIFT)
        empty = {volume["name"] for volume in built["volumes"] if "emptyDir" in volume}

        writable = {
            mount["mountPath"]
            for mount in built["containers"][0]["volumeMounts"]
            if mount["name"] in empty
        }
        assert path in writable

    @pytest.mark.parametrize(
        ("persistence", "source"),
        [
            ({}, {"persistentVolumeClaim": {"claimName": "my-router-models"}}),
            ({"existingClaim": "mine"}, {"persistentVolumeClaim": {"claimName": "mine"}}),
            ({"enabled": False, "existingClaim": "mine"}, {"emptyDir": {}}),
            (
                {"existingClaim": "mine", "accessMode": "ReadOnlyMany"},
                {"persistentVolumeClaim": {"claimName": "mine", "readOnly": True}},
            ),
        ],
    )
    def test_models_are_where_persistence_says(
        self, persistence: dict[str, Any], source: dict[str, Any]
    ):
        volumes = {volume["name"]: volume for volume in pod(persistence=persistence)["volumes"]}

        assert volumes["models"] == {"name": "models", **source}


class TestSecurity:
    def test_kubernetes_gets_the_documents_contexts(self):
        built = pod()

        assert built["securityContext"] == {
            "runAsNonRoot": True,
            "runAsUser": 1000,
            "fsGroup": 1000,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        for container in built["containers"]:
            context = container["securityContext"]
            assert context["runAsNonRoot"] is True
            assert context["runAsUser"] == 1000

    def test_openshift_chooses_users_and_groups_itself(self):
        found = keys(pod(OPENSHIFT))

        assert not found & {"runAsUser", "runAsGroup", "fsGroup", "seccompProfile"}

    @pytest.mark.parametrize("facts", [Facts(), OPENSHIFT], ids=["kubernetes", "openshift"])
    def test_no_container_may_gain_privileges_on_any_platform(self, facts: Facts):
        for container in containers(facts):
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}

    @pytest.mark.parametrize("facts", [Facts(), OPENSHIFT], ids=["kubernetes", "openshift"])
    def test_the_users_contexts_replace_ours_in_every_container(self, facts: Facts):
        container = {"runAsUser": 2000, "capabilities": {"drop": ["ALL"]}}
        whole = {"runAsUser": 2000, "fsGroup": 2000}

        built = pod(facts, securityContext=container, podSecurityContext=whole)

        assert built["securityContext"] == whole
        assert [c["securityContext"] for c in built["containers"]] == [container, container]

    def test_an_empty_context_is_an_override_too(self):
        built = pod(securityContext={}, podSecurityContext={})

        assert built["securityContext"] == {}
        assert [c["securityContext"] for c in built["containers"]] == [{}, {}]

    def test_envoy_cannot_write_its_file_system(self):
        assert containers()[1]["securityContext"]["readOnlyRootFilesystem"] is True


class TestScheduling:
    def test_fields_are_passed_on(self):
        wanted = {
            "nodeSelector": {"disk": "ssd"},
            "tolerations": [{"key": "dedicated", "operator": "Exists"}],
            "affinity": {"nodeAffinity": {}},
        }

        assert wanted.items() <= pod(**wanted).items()

    def test_fields_that_are_not_set_are_not_there(self):
        assert not {"nodeSelector", "tolerations", "imagePullSecrets"} & set(pod())

    def test_resources_are_the_users(self):
        wanted = {"limits": {"memory": "10Gi"}, "requests": {"cpu": 2}}
        envoys = {"limits": {"memory": "1Gi"}}

        semantic_router, envoy = containers(resources=wanted, envoy={"resources": envoys})

        assert semantic_router["resources"] == wanted
        assert envoy["resources"] == envoys

    def test_annotations_are_added_to_ours(self):
        annotations = template(podAnnotations={"owner": "inference", HASH: "forged"})["metadata"][
            "annotations"
        ]

        assert annotations["owner"] == "inference"
        assert annotations[HASH] != "forged"

    def test_logs_of_the_deployment_are_the_routers(self):
        annotations = template()["metadata"]["annotations"]

        assert annotations["kubectl.kubernetes.io/default-container"] == "semantic-router"

    def test_replicas_may_be_none(self):
        assert spec(replicas=0)["replicas"] == 0


class TestRollout:
    def test_new_configuration_makes_new_pods(self):
        def config_hash(**config: Any) -> str:
            return str(template(config=config)["metadata"]["annotations"][HASH])

        assert config_hash() == config_hash()
        assert config_hash() != config_hash(default_reasoning_effort="high")

    def test_a_new_backend_makes_new_pods_and_its_absence_does_not(self):
        endpoint = {
            "name": "a",
            "model": "m",
            "backend": {"type": "service", "service": {"name": "a", "port": 8000}},
        }
        there = Endpoint("a", "m", 1, "a", "default", 8000, "http", ready=True)
        gone = Endpoint("a", "m", 1, "a", "default", 8000, "http", ready=False)
        moved = Endpoint("a", "m", 1, "b", "default", 8000, "http", ready=True)

        def pods(endpoint_found: Endpoint) -> dict[str, Any]:
            return template(Facts(endpoints=[endpoint_found]), vllmEndpoints=[endpoint])

        assert pods(there) == pods(gone)
        assert pods(there) != pods(moved)

    @pytest.mark.parametrize("mode", ["ReadWriteOnce", "ReadWriteOncePod"])
    def test_a_volume_of_one_node_keeps_pods_together_and_replaces_them_one_by_one(self, mode: str):
        built = spec(persistence={"accessMode": mode})

        (term,) = built["template"]["spec"]["affinity"]["podAffinity"][
            "requiredDuringSchedulingIgnoredDuringExecution"
        ]
        assert term["topologyKey"] == "kubernetes.io/hostname"
        # The first pod finds none like itself, and Kubernetes lets it pass only if it is one.
        labels = built["template"]["metadata"]["labels"]
        assert term["labelSelector"]["matchLabels"].items() <= labels.items()
        assert built["strategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}

    @pytest.mark.parametrize("persistence", [{"enabled": False}, {"accessMode": "ReadWriteMany"}])
    def test_pods_that_need_not_share_a_node_are_replaced_without_a_gap(
        self, persistence: dict[str, Any]
    ):
        built = spec(persistence=persistence)

        assert "affinity" not in built["template"]["spec"]
        assert built["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}

    @pytest.mark.parametrize(
        ("modes", "surge", "is_read_only"),
        [
            (["ReadWriteMany"], 1, False),
            (["ReadWriteOnce"], 0, False),
            (["ReadWriteOnce", "ReadOnlyMany"], 1, False),
            (["ReadOnlyMany"], 1, True),
        ],
    )
    def test_a_claim_of_the_users_goes_by_its_own_access_modes(
        self, modes: list[str], surge: int, is_read_only: bool
    ):
        built = spec(Facts(claim_modes=modes), persistence={"existingClaim": "shared"})

        assert built["strategy"]["rollingUpdate"]["maxSurge"] == surge
        assert ("affinity" in built["template"]["spec"]) == (surge == 0)
        (models,) = [
            each for each in built["template"]["spec"]["volumes"] if each["name"] == "models"
        ]
        assert models["persistentVolumeClaim"].get("readOnly", False) == is_read_only

    @pytest.mark.parametrize("affinity", [{}, {"nodeAffinity": {}}])
    def test_the_users_affinity_stands_alone(self, affinity: dict[str, Any]):
        assert pod(affinity=affinity).get("affinity", {}) == affinity

    @pytest.mark.parametrize(("grace", "settle"), [(300, 15), (60, 15), (10, 5), (1, 1)])
    def test_both_containers_drain_within_the_grace_period(self, grace: int, settle: int):
        built = pod(terminationGracePeriodSeconds=grace)

        for container in built["containers"]:
            *_bash, settled, deadline = container["lifecycle"]["preStop"]["exec"]["command"]
            assert int(settled) == settle
            assert settle <= int(deadline) <= max(grace - 5, 1)

    def test_the_router_waits_for_envoy_and_envoy_asks_itself(self):
        built = pod(service={"api": {"targetPort": 8000}, "grpc": {"targetPort": 19000}})

        semantic_router, envoy = (
            container["lifecycle"]["preStop"]["exec"]["command"]
            for container in built["containers"]
        )
        assert semantic_router[-3] == "8000"
        assert envoy[-3] == "19001"

    def test_the_router_behind_a_gateway_waits_for_no_envoy(self):
        gateway = {"existingRef": {"name": "a", "namespace": "b"}}

        (semantic_router,) = pod(gateway=gateway)["containers"]

        command = semantic_router["lifecycle"]["preStop"]["exec"]["command"]
        assert command == ["sleep", "15"]

    def test_the_selector_is_name_and_instance(self):
        assert spec()["selector"]["matchLabels"] == {
            "app.kubernetes.io/name": "semantic-router",
            "app.kubernetes.io/instance": "my-router",
        }


class TestAdditions:
    def test_the_users_containers_come_after_ours_as_they_are(self):
        classifier = {"name": "classifier", "image": "example.com/classifier:1"}

        found = pod(extraContainers=[classifier], image={"imageRegistry": "mirror.example.com"})

        assert [c["name"] for c in found["containers"]][-1] == "classifier"
        assert found["containers"][-1] == classifier

    def test_volumes_and_mounts_of_the_user_join_ours(self):
        volume = {"name": "ca", "configMap": {"name": "company-ca"}}
        mount = {"name": "ca", "mountPath": "/etc/company-ca", "readOnly": True}

        found = pod(extraVolumes=[volume], extraVolumeMounts=[mount])

        assert volume in found["volumes"]
        semantic_router, envoy = found["containers"]
        assert mount in semantic_router["volumeMounts"]
        assert mount not in envoy["volumeMounts"]

    def test_whole_secrets_and_config_maps_become_variables_of_the_router(self):
        sources = [{"secretRef": {"name": "hf"}}, {"prefix": "X_", "configMapRef": {"name": "x"}}]

        semantic_router, envoy = containers(envFrom=sources)

        assert semantic_router["envFrom"] == sources
        assert "envFrom" not in envoy
        assert "envFrom" not in containers()[0]

    def test_further_labels_never_replace_those_of_the_selector(self):
        wanted = {"team": "blue", "app.kubernetes.io/instance": "other"}

        found = template(podLabels=wanted)["metadata"]["labels"]

        assert found["team"] == "blue"
        assert spec()["selector"]["matchLabels"].items() <= found.items()

    def test_pods_are_spread_by_their_own_labels_unless_told_otherwise(self):
        zone = {
            "maxSkew": 1,
            "topologyKey": "topology.kubernetes.io/zone",
            "whenUnsatisfiable": "ScheduleAnyway",
        }
        own = {**zone, "labelSelector": {"matchLabels": {"team": "blue"}}}

        found = pod(topologySpreadConstraints=[zone, own])["topologySpreadConstraints"]

        assert found[0]["labelSelector"] == {"matchLabels": spec()["selector"]["matchLabels"]}
        assert found[1] == own

    def test_priority_and_grace_period_are_the_users(self):
        found = pod(priorityClassName="inference", terminationGracePeriodSeconds=300)

        assert found["priorityClassName"] == "inference"
        assert found["terminationGracePeriodSeconds"] == 300
        assert pod()["terminationGracePeriodSeconds"] == 60
        assert "priorityClassName" not in pod()

    def test_init_containers_dns_host_names_and_runtime_reach_the_pod_as_they_stand(self):
        asked = {
            "initContainers": [{"name": "fetch", "image": "example.com/fetch:1", "args": ["-v"]}],
            "hostAliases": [{"ip": "10.0.0.10", "hostnames": ["models.example.com"]}],
            "dnsPolicy": "None",
            "dnsConfig": {"nameservers": ["10.0.0.53"]},
            "runtimeClassName": "nvidia",
        }

        found = pod(**asked)

        assert {name: found[name] for name in asked} == asked

    def test_a_part_of_a_rolling_update_leaves_the_other_part_as_it_is(self):
        built = spec(persistence={"enabled": False}, rollingUpdate={"maxSurge": "50%"})

        assert built["strategy"]["rollingUpdate"] == {"maxSurge": "50%", "maxUnavailable": 0}
