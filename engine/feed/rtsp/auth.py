"""Answers to a 401: Basic (RFC 7617) and Digest with MD5 or SHA-256 (RFC 7616, RFC 2617). Pure."""

import base64
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass

_PARAMETER = re.compile(r'(\w+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))')
_HASHES: dict[str, Callable[[bytes], str]] = {
    "SHA-256": lambda data: hashlib.sha256(data).hexdigest(),
    "MD5": lambda data: hashlib.md5(data, usedforsecurity=False).hexdigest(),
}
"""The stronger first: a server that offers both is answered with it."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """What the server asks for. `algorithm` is a key of _HASHES, with `session` for the -sess form; empty: Basic."""

    algorithm: str
    session: bool
    realm: str
    nonce: str
    opaque: str
    qop: bool


def choose(header: str) -> Challenge | None:
    """The strongest challenge of the WWW-Authenticate lines that we can answer; None if there is none."""
    found: dict[str, Challenge] = {}
    for line in header.split("\n"):
        scheme, _, rest = line.strip().partition(" ")
        values = {name.lower(): quoted or bare for name, quoted, bare in _PARAMETER.findall(rest)}
        if scheme.lower() == "basic":
            found[""] = Challenge("", False, values.get("realm", ""), "", "", False)
        elif scheme.lower() == "digest" and "nonce" in values:
            named = values.get("algorithm", "MD5").upper()
            algorithm = named.removesuffix("-SESS")
            if algorithm in _HASHES:
                qop = "auth" in [one.strip() for one in values.get("qop", "").lower().split(",")]
                found[algorithm] = Challenge(
                    algorithm,
                    named.endswith("-SESS"),
                    values.get("realm", ""),
                    values["nonce"],
                    values.get("opaque", ""),
                    qop,
                )
    return next((found[name] for name in (*_HASHES, "") if name in found), None)


def answer(challenge: Challenge, user: str, password: str, method: str, url: str, count: int, client_nonce: str) -> str:
    """The Authorization header of one request. `count`: requests answered to this nonce so far, from 1."""
    if not challenge.algorithm:
        return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    digest = _HASHES[challenge.algorithm]
    secret = digest(f"{user}:{challenge.realm}:{password}".encode())
    if challenge.session:
        secret = digest(f"{secret}:{challenge.nonce}:{client_nonce}".encode())
    action = digest(f"{method}:{url}".encode())
    parts = [f'username="{user}"', f'realm="{challenge.realm}"', f'nonce="{challenge.nonce}"', f'uri="{url}"']
    if challenge.qop:
        nc = f"{count:08x}"
        proof = digest(f"{secret}:{challenge.nonce}:{nc}:{client_nonce}:auth:{action}".encode())
        parts += ["qop=auth", f"nc={nc}", f'cnonce="{client_nonce}"']
    else:
        proof = digest(f"{secret}:{challenge.nonce}:{action}".encode())
    parts += [f'response="{proof}"']
    if challenge.algorithm != "MD5" or challenge.session:
        parts += [f"algorithm={challenge.algorithm}{'-sess' if challenge.session else ''}"]
    if challenge.opaque:
        parts += [f'opaque="{challenge.opaque}"']
    return "Digest " + ", ".join(parts)
