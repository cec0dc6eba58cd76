"""Answers a 401: Basic (RFC 7617) and Digest with MD5 or SHA-256 (RFC 7616, RFC 2617). Pure."""

import base64
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass

_LIST_ITEM = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*"?)+')
"""What stands between commas, where a comma in quotes separates nothing."""
_SCHEME = re.compile(r"([\w!#$%&'*+.^`|~-]+)(?:\s++(?!=)|\Z)")
"""A token that is followed by parameters or by nothing, and not by an equals sign."""
_PARAMETER = re.compile(r'\b(\w+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))')
_HASHES: dict[str, Callable[[bytes], str]] = {
    "SHA-256": lambda data: hashlib.sha256(data).hexdigest(),
    "MD5": lambda data: hashlib.md5(data, usedforsecurity=False).hexdigest(),
}
"""The stronger first: a server that offers both is answered with it."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """One challenge of the server.

    `algorithm` is a key of _HASHES; empty means Basic. `session`: the -sess form of the algorithm.
    """

    algorithm: str
    session: bool
    realm: str
    nonce: str
    opaque: str
    qop: bool


def choose(header: str) -> Challenge | None:
    """Return the strongest supported challenge of the WWW-Authenticate lines; None if none is supported."""
    supported: dict[str, Challenge] = {}
    for scheme, parameters in _parse_challenges(header):
        if scheme == "basic":
            supported[""] = Challenge("", False, parameters.get("realm", ""), "", "", False)
        elif scheme == "digest" and "nonce" in parameters:
            variant = parameters.get("algorithm", "MD5").upper()
            algorithm = variant.removesuffix("-SESS")
            if algorithm in _HASHES:
                qop = "auth" in [option.strip() for option in parameters.get("qop", "").lower().split(",")]
                supported[algorithm] = Challenge(
                    algorithm,
                    variant.endswith("-SESS"),
                    parameters.get("realm", ""),
                    parameters["nonce"],
                    parameters.get("opaque", ""),
                    qop,
                )
    return next((supported[name] for name in (*_HASHES, "") if name in supported), None)


def authorization(
    challenge: Challenge, user: str, password: str, method: str, url: str, count: int, client_nonce: str
) -> str:
    """Return the Authorization header of one request. `count`: requests with this nonce including this one."""
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
        response = digest(f"{secret}:{challenge.nonce}:{nc}:{client_nonce}:auth:{action}".encode())
        parts += ["qop=auth", f"nc={nc}", f'cnonce="{client_nonce}"']
    else:
        response = digest(f"{secret}:{challenge.nonce}:{action}".encode())
    parts += [f'response="{response}"']
    if challenge.algorithm != "MD5" or challenge.session:
        parts += [f"algorithm={challenge.algorithm}{'-sess' if challenge.session else ''}"]
    if challenge.opaque:
        parts += [f'opaque="{challenge.opaque}"']
    return "Digest " + ", ".join(parts)


def _parse_challenges(header: str) -> list[tuple[str, dict[str, str]]]:
    """Return (scheme, parameters) of each challenge, names in lower case; one line may hold several (RFC 9110, 11.6.1).

    An item without parameters begins a challenge only if it is a scheme we support: cameras also send lists without
    quotes, like qop=auth,auth-int.
    """
    challenges: list[tuple[str, dict[str, str]]] = []
    for line in header.split("\n"):
        parameters: dict[str, str] = {}
        for item in _LIST_ITEM.findall(line):
            text = item.strip()
            scheme = _SCHEME.match(text)
            if scheme is not None and (scheme.end() < len(text) or text.lower() in ("basic", "digest")):
                parameters = {}
                challenges.append((scheme[1].lower(), parameters))
                text = text[scheme.end() :]
            parameters |= {name.lower(): quoted or bare for name, quoted, bare in _PARAMETER.findall(text)}
    return challenges
