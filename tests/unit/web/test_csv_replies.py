"""CSV files of the console: a file that ends early says so, and one that nobody reads ends."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

from starlette.types import Message

from engine.web.console.csv_replies import BYTE_ORDER_MARK, csv_file, csv_reply, csv_text
from engine.web.errors import refusal


def sent(parts: AsyncGenerator[str, None], leaves_after: int = 0) -> list[Message]:
    """Send a file to a browser, which leaves after so many messages; 0: it reads all. Return what it got."""
    got: list[Message] = []
    left = asyncio.Event()

    async def send(message: Message) -> None:
        got.append(message)
        if leaves_after and len(got) == leaves_after:
            left.set()
            await asyncio.Event().wait()

    async def receive() -> Message:
        await left.wait()
        return {"type": "http.disconnect"}

    async def run() -> None:
        reply = await csv_reply(parts, "台账.csv", "it ends here:")
        async with asyncio.timeout(5):
            await reply({"type": "http", "method": "GET"}, receive, send)

    asyncio.run(run())
    return got


def text_of(messages: list[Message]) -> str:
    return b"".join(message.get("body", b"") for message in messages).decode()


async def two_parts(closed: list[bool], fails: bool = False) -> AsyncGenerator[str, None]:
    try:
        yield csv_text([["a"]])
        if fails:
            raise refusal("UNAVAILABLE", "AWAY", "the engine is away")
        yield csv_text([["=1+1"]])
    finally:
        closed.append(True)


def test_a_file_comes_whole_and_no_text_is_a_formula() -> None:
    closed: list[bool] = []
    got = sent(two_parts(closed))
    assert text_of(got) == f"{BYTE_ORDER_MARK}a\r\n'=1+1\r\n"
    assert b"content-length" not in dict(got[0]["headers"])
    assert b"filename*=UTF-8''%E5%8F%B0%E8%B4%A6.csv" in dict(got[0]["headers"])[b"content-disposition"]
    assert closed == [True]


def test_a_file_that_an_error_ends_says_so() -> None:
    closed: list[bool] = []
    got = sent(two_parts(closed, fails=True))
    assert text_of(got).splitlines() == [f"{BYTE_ORDER_MARK}a", "it ends here: the engine is away"]
    assert got[-1]["more_body"] is False
    assert closed == [True]


def test_a_file_ends_when_the_browser_leaves() -> None:
    closed: list[bool] = []
    got = sent(two_parts(closed), leaves_after=2)
    assert len(got) == 2
    assert closed == [True]


def test_rows_at_hand_are_the_same_file() -> None:
    reply: Any = csv_file([["a"], ["=1+1"]], "x.csv")
    assert reply.body.decode() == f"{BYTE_ORDER_MARK}a\r\n'=1+1\r\n"
    assert reply.headers["content-disposition"].startswith('attachment; filename="x.csv"')
