"""Images, flags and variables that are right, or without effect."""

from __future__ import annotations

from typing import Any

import pytest
from bad_input import problems, with_spec


def test_flags_that_repeat_the_operators_own_values_are_harmless() -> None:
    assert (
        problems(with_spec(args=["--port=50051", "-metrics-port", "9190", "-secure=false"])) == []
    )


@pytest.mark.parametrize(
    "image",
    [
        {"repository": "localhost:5000/extproc", "tag": "dev"},
        {"repository": "ghcr.io/example/extproc", "tag": f"sha256:{'0' * 64}"},
        {"repository": f"ghcr.io/example/extproc@sha256:{'0' * 64}"},
        {"tag": f"v0.3.0@sha256:{'0' * 64}"},
        {"tag": ""},
        {"imageRegistry": "registry.example.com:5000/mirror"},
        {"imageRegistry": ""},
    ],
)
def test_images_of_every_usual_form_are_accepted(image: dict[str, Any]) -> None:
    assert problems(with_spec(image=image)) == []


def test_a_variable_of_the_operators_own_is_named_as_without_effect() -> None:
    found = problems(with_spec(env=[{"name": "CONFIG_FILE", "value": "/tmp/other.yaml"}]))  # noqa: S108
    assert [(problem.field, problem.blocking) for problem in found] == [("spec.env[0].name", False)]


def test_the_file_of_the_configuration_is_the_operators() -> None:
    (found,) = problems(with_spec(args=["--config=/tmp/other.yaml"]))
    assert (found.field, found.blocking) == ("spec.args[0]", True)


def test_a_privileged_container_may_say_that_it_escalates() -> None:
    context = {"privileged": True, "allowPrivilegeEscalation": True}
    assert problems(with_spec(securityContext=context)) == []
    assert problems(with_spec(securityContext={"privileged": True})) == []
