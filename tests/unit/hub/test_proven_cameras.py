"""Which cameras are proven, and how many workers the pictures of the others may hold."""

from engine.hub.keyframes.proven_cameras import CAREFUL_NS, ProvenCameras


def proven(number: int, cameras: int) -> ProvenCameras:
    """So many proven cameras, p0 and so on, of so many."""
    known = ProvenCameras(lambda: cameras)
    for n in range(number):
        known.finished(f"p{n}")
    return known


def test_after_a_start_no_worker_is_kept_until_half_of_the_cameras_are_proven() -> None:
    assert proven(4, 10).workers_for_unproven(8, 0) == 8
    assert proven(5, 10).workers_for_unproven(8, 0) == 7


def test_after_a_picture_that_ended_a_worker_the_others_share_one_for_a_minute() -> None:
    known = proven(9, 10)
    known.ended_worker("new", 100)
    assert known.workers_for_unproven(8, 100) == 1
    assert known.workers_for_unproven(8, 100 + CAREFUL_NS - 1) == 1
    assert known.workers_for_unproven(8, 100 + CAREFUL_NS) == 7


def test_they_wait_while_one_worker_is_ready_but_not_for_ever() -> None:
    known = proven(9, 10)
    assert known.workers_for_unproven(2, 0) == 1
    known.ended_worker("new", 100)
    assert known.workers_for_unproven(1, 101) == 0
    assert known.workers_for_unproven(1, 100 + CAREFUL_NS) == 1, "the other one may never come back"


def test_an_engine_of_one_worker_measures_them_too() -> None:
    known = proven(9, 10)
    assert known.workers_for_unproven(1, 0) == 1
    known.ended_worker("new", 100)
    assert known.workers_for_unproven(1, 101) == 1


def test_a_camera_whose_picture_ended_a_worker_is_proven_no_more_until_one_is_finished() -> None:
    known = proven(9, 10)
    known.ended_worker("p1", 0)
    assert not known.is_proven("p1")
    known.finished("p1")
    assert known.is_proven("p1")
    known.forget("p1")
    assert not known.is_proven("p1")
