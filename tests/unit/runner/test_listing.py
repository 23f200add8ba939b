"""What news of an object means for the runs."""

from __future__ import annotations

from typing import Any

import pytest
from wrapper_runner.listing import Change, Listing, News, concerns_itself, owners_concerned
from wrapper_runner.schedule import Key


def metadata(name: str = "anna", version: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "namespace": "ai",
        "uid": f"uid-{name}",
        "resourceVersion": str(version),
        "generation": 1,
        **more,
    }


def owned(**more: Any) -> dict[str, Any]:
    reference = {"apiVersion": "vllm.ai/v1alpha1", "kind": "SemanticRouter", "name": "my-router"}
    return metadata(ownerReferences=[reference], **more)


def news(changes: list[Change]) -> list[tuple[str, News]]:
    return [(change.now.key.name, change.news) for change in changes]


def change(before: dict[str, Any], event: str, after: dict[str, Any]) -> Change:
    listing = Listing()
    listing.replace([before])
    result = listing.update(event, after)
    assert result is not None
    return result


def test_objects_of_a_namespace_are_counted() -> None:
    listing = Listing()
    listing.replace(
        {"name": name, "namespace": namespace, "resourceVersion": "1"}
        for namespace, name in (("ai", "a"), ("ai", "b"), ("ops", "a"))
    )
    assert [listing.count(namespace) for namespace in ("ai", "ops", "else")] == [2, 1, 0]


def test_first_list_tells_of_everything() -> None:
    listed = Listing().replace([metadata("anna"), metadata("ben")])
    assert news(listed) == [("anna", News.LISTED), ("ben", News.LISTED)]


def test_second_list_tells_of_what_was_missed() -> None:
    listing = Listing()
    listing.replace([metadata("same"), metadata("changed"), metadata("gone")])
    listed = listing.replace([metadata("same"), metadata("changed", 2), metadata("new")])
    assert news(listed) == [
        ("gone", News.DELETED),
        ("changed", News.MODIFIED),
        ("new", News.LISTED),
    ]


def test_event_that_repeats_a_version_is_no_news() -> None:
    listing = Listing()
    listing.replace([metadata(version=7)])
    assert listing.update("MODIFIED", metadata(version=7)) is None


def test_status_alone_is_no_news_where_it_is_ignored() -> None:
    listing = Listing(ignores_status=True)
    listing.replace([written(1, ("measurer", "1", "replicas"))])
    assert listing.update("MODIFIED", written(2, ("measurer", "2", "replicas"))) is None
    assert listing.update("MODIFIED", written(3)) is None
    assert listing.replace([written(4, ("another", "4", "replicas"))]) == []


def of_spec(time: str, *fields: str, manager: str = "us") -> dict[str, Any]:
    return {"manager": manager, "time": time, "fieldsV1": {f"f:{field}": {} for field in fields}}


@pytest.mark.parametrize(
    "more",
    [
        {"managedFields": [of_spec("1", "max"), of_spec("2", "min", manager="kubectl")]},
        {"managedFields": [of_spec("2", "max", "min")]},
        {"managedFields": []},
        {"generation": 2},
        {"labels": {}},
        {"annotations": {"vllm.ai/applied-hash": "another"}},
        {"ownerReferences": []},
        {"deletionTimestamp": "2026-01-01T00:00:00Z"},
        {"uid": "another"},
    ],
)
def test_whatever_else_changes_is_news_where_the_status_is_ignored(more: dict[str, Any]) -> None:
    before = owned(labels={"a": "b"}, managedFields=[of_spec("1", "max", "min")])
    listing = Listing(ignores_status=True)
    listing.replace([before])
    update = listing.update("MODIFIED", {**before, "resourceVersion": "2", **more})
    assert update is not None
    assert owners_concerned(update, "vllm.ai", "SemanticRouter") == {Key("ai", "my-router")}


def test_deletion_is_news_where_the_status_is_ignored() -> None:
    listing = Listing(ignores_status=True)
    listing.replace([owned()])
    update = listing.update("DELETED", owned())
    assert update is not None
    assert owners_concerned(update, "vllm.ai", "SemanticRouter") == {Key("ai", "my-router")}


def test_object_that_was_deleted_is_new_when_it_comes_back() -> None:
    listing = Listing()
    listing.replace([metadata()])
    listing.update("DELETED", metadata(version=2))
    back = listing.update("ADDED", metadata(version=3))
    assert back is not None
    assert back.news is News.ADDED


@pytest.mark.parametrize(
    "after",
    [
        metadata(version=2, generation=2),
        metadata(version=2, deletionTimestamp="2026-01-01T00:00:00Z"),
        metadata(version=2, uid="another"),
    ],
)
def test_spec_deletion_and_replacement_concern_the_object(after: dict[str, Any]) -> None:
    assert concerns_itself(change(metadata(), "MODIFIED", after), annotations_matter=False)


def test_status_alone_does_not_concern_it() -> None:
    update = change(metadata(), "MODIFIED", metadata(version=2))
    assert not concerns_itself(update, annotations_matter=True)


def written(version: int, *entries: tuple[str, str, str]) -> dict[str, Any]:
    """manager, time and a field, each of the status."""
    fields = [
        {"manager": who, "time": time, "subresource": "status", "fieldsV1": {f"f:{field}": {}}}
        for who, time, field in entries
    ]
    return metadata(version=version, managedFields=fields)


OWN = ("us", "1", "phase")


@pytest.mark.parametrize(
    ("before", "after", "concerns"),
    [
        ([OWN], [("us", "2", "phase")], False),
        ([], [OWN], False),
        ([OWN], [OWN, ("kubectl", "2", "phase")], True),
        ([OWN, ("kubectl", "2", "phase")], [OWN, ("kubectl", "3", "phase")], True),
        # We have put it right.
        ([OWN, ("kubectl", "2", "phase")], [("us", "3", "phase")], False),
        # Somebody has taken a field out, and has none of his own.
        ([OWN], [("us", "1", "other")], True),
        ([OWN], [], True),
    ],
)
def test_a_status_concerns_the_object_when_somebody_else_had_a_hand_in_it(
    before: list[tuple[str, str, str]], after: list[tuple[str, str, str]], concerns: bool
) -> None:
    update = change(written(1, *before), "MODIFIED", written(2, *after))
    assert concerns_itself(update, annotations_matter=True, status_manager="us") is concerns
    assert not concerns_itself(update, annotations_matter=True)


@pytest.mark.parametrize("matter", [True, False])
def test_annotations_concern_it_where_the_watch_says_so(matter: bool) -> None:
    update = change(metadata(), "MODIFIED", metadata(version=2, annotations={"paused": "true"}))
    assert concerns_itself(update, annotations_matter=matter) is matter


@pytest.mark.parametrize("event", ["MODIFIED", "DELETED"])
def test_dependent_that_changes_concerns_its_owner(event: str) -> None:
    update = change(owned(), event, owned(version=2))
    assert owners_concerned(update, "vllm.ai", "SemanticRouter") == {Key("ai", "my-router")}


def test_dependent_that_loses_its_owner_reference_concerns_the_former_owner() -> None:
    update = change(owned(), "MODIFIED", metadata(version=2))
    assert owners_concerned(update, "vllm.ai", "SemanticRouter") == {Key("ai", "my-router")}


def test_dependent_that_was_just_made_concerns_nobody() -> None:
    update = Listing().update("ADDED", owned())
    assert update is not None
    assert owners_concerned(update, "vllm.ai", "SemanticRouter") == set()


def test_dependent_that_was_there_when_we_looked_concerns_its_owner() -> None:
    [update] = Listing().replace([owned()])
    assert owners_concerned(update, "vllm.ai", "SemanticRouter") == {Key("ai", "my-router")}


@pytest.mark.parametrize(("group", "kind"), [("vllm.ai", "Other"), ("apps", "SemanticRouter")])
def test_owner_of_another_kind_is_not_concerned(group: str, kind: str) -> None:
    assert owners_concerned(change(owned(), "DELETED", owned()), group, kind) == set()


def test_annotation_names_the_owner_of_what_has_no_namespace() -> None:
    annotations = {
        "operator-sdk/primary-resource": "ai/my-router",
        "operator-sdk/primary-resource-type": "SemanticRouter.vllm.ai",
    }
    before = metadata(annotations=annotations)
    update = change(before, "MODIFIED", {**before, "resourceVersion": "2"})
    assert owners_concerned(update, "vllm.ai", "SemanticRouter") == {Key("ai", "my-router")}
