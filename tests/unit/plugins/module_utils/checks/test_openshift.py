"""Routes that look odd and are right, and one that is not built yet."""

from __future__ import annotations

from typing import Any

import pytest
from bad_input import problems, with_spec


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        *(
            (
                {"openshift": {"routes": {"enabled": True, "tls": {"termination": termination}}}},
                "spec.openshift.routes.tls.termination",
            )
            for termination in ("passthrough", "reencrypt")
        ),
    ],
)
def test_an_addition_that_is_not_built_yet_does_not_keep_the_router_from_running(
    spec: dict[str, Any], field: str
) -> None:
    found = problems(with_spec(**spec))
    assert [(problem.field, problem.reason, problem.blocking) for problem in found] == [
        (field, "FeatureNotAvailable", False)
    ]


@pytest.mark.parametrize(
    "routes",
    [
        {"enabled": True},
        {"enabled": True, "hostname": ""},
        {"enabled": True, "hostname": "router.apps.example.com"},
        {"enabled": True, "tls": {"insecureEdgeTerminationPolicy": "Allow"}},
        {
            "enabled": False,
            "hostname": "https://nowhere",
            "tls": {"termination": "passthrough", "insecureEdgeTerminationPolicy": "Allow"},
        },
    ],
    ids=["defaults", "no name", "a name", "plain HTTP as well", "disabled"],
)
def test_a_route_that_openshift_would_take_is_no_problem(routes: dict[str, Any]) -> None:
    found = problems(with_spec(openshift={"routes": routes}))
    assert [one for one in found if one.reason != "FieldsIgnored"] == []
