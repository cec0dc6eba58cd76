"""Replies of several shards, put together, are what one engine would have answered."""

from typing import Any

from engine.serve.forwarding import merging
from engine.serve.forwarding.merging import Part
from patrol.v1 import cameras_pb2, findings_pb2, pictures_pb2, scheduler_pb2


def test_numbers_add_up_and_missing_names_stay_in_order() -> None:
    request = cameras_pb2.BatchDeleteCamerasRequest(names=["cameras/x", "cameras/a", "cameras/y", "cameras/b"])
    reply = cameras_pb2.BatchDeleteCamerasResponse
    parts = [
        Part((1, 2), reply(deleted=1, missing=["cameras/y"])),
        Part((0, 3), reply(deleted=1, missing=["cameras/x"])),
    ]
    assert merging.counted("deleted")(request, parts) == reply(deleted=2, missing=["cameras/x", "cameras/y"])


def test_items_come_back_in_the_order_of_the_request() -> None:
    def thumbnails(*names: str) -> Any:
        results = [pictures_pb2.ThumbnailResult(camera=name) for name in names]
        return pictures_pb2.BatchGetThumbnailsResponse(results=results)

    whole: Any = merging.thumbnails(None, [Part((3, 0), thumbnails("d", "a")), Part((1, 2), thumbnails("b", "c"))])
    assert [result.camera for result in whole.results] == ["a", "b", "c", "d"]

    def results(*names: str) -> Any:
        found = [findings_pb2.FindingResult(name=name) for name in names]
        return findings_pb2.BatchDismissFindingsResponse(results=found, succeeded=1)

    done: Any = merging.results(None, [Part((1,), results("2")), Part((0, 2), results("1", "3"))])
    assert ([result.name for result in done.results], done.succeeded) == (["1", "2", "3"], 2)


def test_viewers_are_listed_as_asked() -> None:
    def viewers(name: str) -> Any:
        return findings_pb2.ListViewersResponse(findings=[findings_pb2.FindingViewers(name=name)])

    request = findings_pb2.ListViewersRequest(names=["findings/1", "findings/2", "findings/3"])
    whole: Any = merging.viewers(request, [Part((2,), viewers("findings/3")), Part((0,), viewers("findings/1"))])
    assert [found.name for found in whole.findings] == ["findings/1", "findings/3"]


def test_rows_of_an_import_keep_their_places() -> None:
    def report(index: int, added: int) -> Any:
        problem = cameras_pb2.RowProblem(index=index, field="url")
        return cameras_pb2.ImportCamerasResponse(added=added, unchanged=1, problems=[problem], problems_total=1)

    whole = merging.imports([Part((4, 1), report(0, 2)), Part((0, 3, 2), report(2, 3))])
    assert [problem.index for problem in whole.problems] == [2, 4]
    assert (whole.added, whole.unchanged, whole.problems_total) == (5, 2, 2)


def pause(cameras: int, **scope: str) -> Any:
    return scheduler_pb2.Pause(scope=scheduler_pb2.PauseScope(**scope), reason="why", cameras=cameras)


def test_a_pause_concerns_the_cameras_of_all_shards() -> None:
    whole: Any = merging.pauses(None, [Part((), pause(3, host="h")), Part((), pause(4, host="h"))])
    assert (whole.cameras, whole.scope.host, whole.reason) == (7, "h", "why")


def status(**fields: Any) -> Part:
    return Part((), scheduler_pb2.SchedulerStatus(**fields))


def klass(name: str, **fields: Any) -> Any:
    return scheduler_pb2.ClassStatus(name=name, **fields)


def merged(*parts: Part) -> Any:
    return merging.schedules(None, parts)


def test_the_state_of_the_scheduler_is_a_sum_with_the_worst_lags() -> None:
    whole = merged(
        status(cameras=3, lag_s_max=2.0, demand_per_s=1.5, county_lags={"130102": 1.0}, shed={"host": 1.0}),
        status(cameras=4, lag_s_max=5.0, demand_per_s=0.5, county_lags={"130203": 5.0}, failing={"timeout": 2}),
    )
    assert (whole.cameras, whole.lag_s_max, whole.demand_per_s, whole.capacity_per_s) == (7, 5.0, 2.0, 0.0)
    assert dict(whole.county_lags) == {"130102": 1.0, "130203": 5.0}
    assert (dict(whole.shed), dict(whole.failing)) == ({"host": 1.0}, {"timeout": 2})


def test_a_capacity_that_was_always_enough_counts_as_what_is_needed() -> None:
    assert merged(status(demand_per_s=2.0), status(demand_per_s=3.0, capacity_per_s=2.5)).capacity_per_s == 4.5


def test_classes_are_weighted_by_their_cameras_and_periods() -> None:
    whole = merged(
        status(classes=[klass("ordinary", cameras=1, lag_p50_s=4.0, lag_p99_s=9.0, periods_due=10, coverage=1.0)]),
        status(classes=[klass("ordinary", cameras=3, lag_p50_s=0.0, lag_p99_s=2.0, periods_due=30, coverage=0.5)]),
    )
    (row,) = whole.classes
    assert (row.cameras, row.lag_p50_s, row.lag_p99_s, row.periods_due, row.coverage) == (4, 1.0, 9.0, 40, 0.625)
    assert merged(status(classes=[klass("offline")])).classes[0].coverage == 1.0


def test_a_platform_that_several_shards_visit_is_one_with_the_sum_of_their_caps() -> None:
    def host(name: str, **fields: Any) -> Any:
        return scheduler_pb2.HostStatus(name=name, **fields)

    whole = merged(
        status(busy_hosts=[host("a", in_flight=1, cap=2), host("b", waiting=9)]),
        status(busy_hosts=[host("a", in_flight=2, cap=3, out=True)]),
    )
    assert [(row.name, row.in_flight, row.cap, row.waiting, row.out) for row in whole.busy_hosts] == [
        ("b", 0, 0, 9, False),
        ("a", 3, 5, 0, True),
    ]


def test_pauses_of_all_shards_are_listed_once() -> None:
    whole = merged(
        status(pauses=[pause(2, region_prefix="13"), pause(1, host="h")]), status(pauses=[pause(5, region_prefix="13")])
    )
    assert [(row.scope.WhichOneof("scope"), row.cameras) for row in whole.pauses] == [("region_prefix", 7), ("host", 1)]
