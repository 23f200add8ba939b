"""What OLM v1 is given: enough rights to install the bundle, and none beside."""

from __future__ import annotations

from typing import Any

from olm_bundle import v1

OWN = {"apiGroups": ["example.com"], "resources": ["things"], "verbs": ["get"]}
PEOPLE = {"apiGroups": ["example.com"], "resources": ["things"], "verbs": ["*"]}
PERMISSIONS = ("permissions", "clusterPermissions")
BUNDLE: list[dict[str, Any]] = [
    {
        "kind": "ClusterServiceVersion",
        "spec": {
            "install": {
                "spec": {
                    "permissions": [{"rules": [OWN]}],
                    "clusterPermissions": [{"rules": [OWN]}],
                }
            }
        },
    },
    {"kind": "CustomResourceDefinition"},
    {"kind": "ClusterRole", "rules": [PEOPLE]},
]


def rules() -> list[dict[str, Any]]:
    return v1.installer_rules("own", BUNDLE)


def test_the_installer_has_every_right_that_it_grants_and_each_once() -> None:
    assert [rule for rule in rules() if rule["apiGroups"] == ["example.com"]] == [OWN, PEOPLE]


def test_the_installer_may_make_what_is_in_the_bundle() -> None:
    made = {resource for rule in rules() for resource in rule["resources"]}
    assert {"customresourcedefinitions", "clusterroles", "deployments", "serviceaccounts"} <= made
    assert "services" not in made


def test_the_installer_can_grant_nothing_that_it_has_not() -> None:
    verbs = {
        verb for rule in rules() if rule["apiGroups"] != ["example.com"] for verb in rule["verbs"]
    }
    assert not {"*", "bind", "escalate", "impersonate"} & verbs


def test_only_this_extension_is_finalized() -> None:
    assert rules()[0]["resourceNames"] == ["own"]
