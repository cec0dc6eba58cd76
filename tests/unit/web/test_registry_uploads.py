"""Files that wait for their import: a few, of one session each, and not for long."""

from engine.web.console.screens.registry.rows import Found
from engine.web.console.screens.registry.uploads import Upload, Uploads, packed


def upload(owner: str, data: bytes = b"camera_id,url\n", began_s: float = 0.0) -> Upload:
    return Upload(owner, "a.csv", packed(data), began_s, Found(), (0, 0, 0))


def test_a_file_comes_back_to_the_session_that_sent_it_and_to_no_other() -> None:
    kept = Uploads()
    mine = upload("a", b"x" * 10_000)
    kept.keep(mine)
    found = kept.find(mine.key, "a", 1.0)
    assert found is not None
    assert found.data() == b"x" * 10_000
    assert len(found.packed) < 1000
    assert kept.find(mine.key, "b", 1.0) is None
    assert kept.find("", "a", 1.0) is None
    kept.forget(mine.key)
    assert kept.find(mine.key, "a", 1.0) is None


def test_a_file_is_forgotten_after_half_an_hour() -> None:
    kept = Uploads()
    mine = upload("a", began_s=100.0)
    kept.keep(mine)
    assert kept.find(mine.key, "a", 1899.0) is mine
    assert kept.find(mine.key, "a", 1901.0) is None


def test_a_session_keeps_its_last_file_and_the_oldest_make_room() -> None:
    kept = Uploads()
    first, second = upload("a"), upload("a")
    kept.keep(first)
    kept.keep(second)
    assert kept.find(first.key, "a", 0.0) is None
    others = [upload(f"b{n}") for n in range(8)]
    for other in others:
        kept.keep(other)
    assert kept.find(second.key, "a", 0.0) is None
    assert all(kept.find(other.key, other.owner, 0.0) is other for other in others)


def test_files_that_cannot_be_packed_are_bounded_by_their_bytes() -> None:
    kept = Uploads()
    large = [Upload(f"a{n}", "a.csv", bytes(20 * 1024 * 1024), 0.0, Found(), (0, 0, 0)) for n in range(4)]
    for each in large:
        kept.keep(each)
    assert [kept.find(each.key, each.owner, 0.0) is not None for each in large] == [False, True, True, True]
