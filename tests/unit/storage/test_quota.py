"""What goes first when the evidence's budget is spent."""

from engine.storage.evidence.quota import Quota, Rank


def outs(quota: Quota, bytes_max: int) -> list[tuple[str, Rank]]:
    found = []
    while (name := quota.evict(bytes_max)) is not None:
        found.append(name)
    return found


def test_latest_keyframes_go_before_good_ones_before_exhibits_and_never_what_open_findings_refer_to() -> None:
    quota = Quota()
    for name, rank in (("p", Rank.PINNED), ("e", Rank.EXHIBIT), ("b", Rank.BESIDE), ("l", Rank.LATEST)):
        quota.add(name, 10, rank)
    assert outs(quota, 0) == [("l", Rank.LATEST), ("b", Rank.BESIDE), ("e", Rank.EXHIBIT)]
    assert "p" in quota
    assert (quota.total_bytes, quota.bytes_of(Rank.PINNED)) == (10, 10)


def test_of_a_rank_the_oldest_goes_and_nothing_more_than_must() -> None:
    quota = Quota()
    for name in "abcd":
        quota.add(name, 10, Rank.LATEST)
    quota.add("a", 10, Rank.LATEST)  # written anew: the youngest now
    assert outs(quota, 25) == [("b", Rank.LATEST), ("c", Rank.LATEST)]
    assert ("a" in quota, "b" in quota, quota.total_bytes) == (True, False, 20)


def test_a_finding_that_ends_makes_its_evidence_the_youngest_of_the_closed_ones() -> None:
    quota = Quota()
    quota.add("closed later", 10, Rank.PINNED)
    quota.add("closed before", 10, Rank.EXHIBIT)
    quota.move("closed later", Rank.EXHIBIT)
    quota.move("nobody knows", Rank.EXHIBIT)
    assert [name for name, _ in outs(quota, 0)] == ["closed before", "closed later"]


def test_sizes_follow_what_is_written_over_and_removed() -> None:
    quota = Quota()
    quota.add("a", 10, Rank.LATEST)
    quota.add("a", 30, Rank.EXHIBIT)
    assert (quota.total_bytes, quota.count(Rank.LATEST), quota.count(Rank.EXHIBIT)) == (30, 0, 1)
    assert quota.remove("a")
    assert not quota.remove("a")
    assert quota.total_bytes == 0
