"""Tokens of places: a caller with a region reads nothing in them, and makes none."""

import base64
import secrets

import pytest

from engine.errors import ErrorReason, InvalidArgumentError, PatrolError
from engine.serve.messages.paging import PageTokens
from engine.serve.messages.places import ALL_REGIONS, KEY_BYTES, Places
from engine.serve.messages.resume_token import decode_resume_token, encode_resume_token

KEY = secrets.token_bytes(KEY_BYTES)
COUNTY, NEIGHBOUR = Places("130102", KEY), Places("130203", KEY)
LOG = "verdicts"


@pytest.mark.parametrize("places", [ALL_REGIONS, COUNTY, NEIGHBOUR])
def test_a_token_comes_back_as_the_place_it_was_made_of(places: Places) -> None:
    for seq in (0, 7, 2**62):
        assert decode_resume_token(encode_resume_token(seq, LOG, places), LOG, places) == seq
    pages = PageTokens("verdicts", places, "c1")
    assert pages.number(pages.token(41)) == 41
    assert pages.number("") == 0


def test_a_county_reads_no_place_in_its_tokens() -> None:
    for token in (encode_resume_token(987_654, LOG, COUNTY), PageTokens("verdicts", COUNTY, "c1").token(987_654)):
        assert b"987654" not in base64.urlsafe_b64decode(token)
    short, long = encode_resume_token(1, LOG, COUNTY), encode_resume_token(2, LOG, COUNTY)
    assert sum(a != b for a, b in zip(short, long, strict=True)) > 10


@pytest.mark.parametrize(
    "token",
    [
        encode_resume_token(5, LOG, NEIGHBOUR),
        encode_resume_token(5, "findings", COUNTY),
        encode_resume_token(5, LOG, Places("130102", secrets.token_bytes(KEY_BYTES))),
        PageTokens("verdicts", COUNTY).token(5),
        "nonsense",
        "",
        base64.urlsafe_b64encode(bytes(40)).decode(),
    ],
    ids=["neighbour", "other log", "other key", "page", "nonsense", "empty", "zeros"],  # tokens differ in each process
)
def test_a_token_of_somebody_or_something_else_is_none(token: str) -> None:
    with pytest.raises(InvalidArgumentError):
        decode_resume_token(token, LOG, COUNTY)


@pytest.mark.parametrize("seq", [0, 5, 10**15])
def test_a_place_that_a_county_writes_itself_is_lost_whatever_it_is(seq: int) -> None:
    with pytest.raises(PatrolError) as caught:
        decode_resume_token(encode_resume_token(seq), LOG, COUNTY)
    assert caught.value.error_reason is ErrorReason.RESUME_PLACE_LOST
    assert str(seq) not in str(caught.value).split()
    with pytest.raises(InvalidArgumentError):
        PageTokens("verdicts", COUNTY, "c1").number(PageTokens("verdicts", ALL_REGIONS, "c1").token(seq))
