"""Where a camera may lead us: its own host, allowed networks, and special addresses only by their own name."""

import ipaddress

import pytest

from engine.feed.destinations import Destinations, plain_address


def refusal(origin: str, address: str, *allowed: str, named: bool = False) -> str | None:
    return Destinations(allowed).refusal(origin, ipaddress.ip_address(address), named=named)


@pytest.mark.parametrize("origin", ["10.0.0.5", "camera.example", "2001:db8::1"])
@pytest.mark.parametrize("address", ["10.0.0.5", "203.0.113.9", "2001:db8::1"])
def test_what_the_registry_names_is_reached(origin: str, address: str) -> None:
    assert refusal(origin, address, named=True) is None


@pytest.mark.parametrize("address", ["10.0.0.6", "203.0.113.9", "2001:db8::2"])
def test_another_host_needs_an_allowed_network(address: str) -> None:
    text = refusal("10.0.0.5", address)
    assert text is not None
    assert address in text
    assert "10.0.0.5" in text
    assert "feed.allowed_networks" in text
    assert refusal("10.0.0.5", address, "10.0.0.0/24", "203.0.113.0/24", "2001:db8::/32") is None
    assert refusal("10.0.0.5", address, "10.0.1.0/24", "2001:db9::/32") is not None


SPECIAL = [
    "0.0.0.0", "127.0.0.1", "127.9.9.9", "169.254.1.1", "169.254.169.254", "100.100.100.200", "168.63.129.16",
    "192.0.0.192", "224.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "fe80::1%eth0", "ff02::1", "fd00:ec2::254",
    "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "2002:7f00:1::",
]  # fmt: skip


@pytest.mark.parametrize("address", SPECIAL)
def test_a_name_that_resolves_to_a_special_address_does_not_reach_it(address: str) -> None:
    assert refusal("camera.example", address, named=True) is not None
    assert refusal("10.0.0.5", address, named=True) is not None
    assert refusal("10.0.0.5", address, "0.0.0.0/0", "::/0", named=False) is not None
    assert refusal("10.0.0.5", address, "0.0.0.0/0", "::/0", "10.0.0.0/8", named=True) is not None


@pytest.mark.parametrize("address", SPECIAL)
def test_a_special_address_that_the_registry_gives_itself_is_reached(address: str) -> None:
    assert refusal(address, address, named=True) is None
    assert refusal(f"[{address}]" if ":" in address else address, address, named=True) is None
    assert refusal(address, address, named=False) is not None


def test_localhost_is_this_machine_and_nothing_else() -> None:
    assert refusal("localhost", "127.0.0.1", named=True) is None
    assert refusal("LocalHost.", "::1", named=True) is None
    assert refusal("localhost", "169.254.169.254", named=True) is not None
    assert refusal("localhost.example", "127.0.0.1", named=True) is not None


def test_a_special_network_is_allowed_by_its_own_entry() -> None:
    assert refusal("10.0.0.5", "127.0.0.7", "127.0.0.0/8") is None
    assert refusal("10.0.0.5", "127.0.0.7", "127.0.0.7/32") is None
    assert refusal("10.0.0.5", "127.0.0.7", "126.0.0.0/7") is not None
    assert refusal("10.0.0.5", "169.254.7.7", "127.0.0.0/8", "169.254.0.0/16") is None
    assert refusal("10.0.0.5", "::1", "::1/128") is None


def test_an_address_in_an_address_is_the_inner_one() -> None:
    assert refusal("10.0.0.5", "::ffff:10.0.0.6", "10.0.0.0/24") is None
    assert refusal("127.0.0.1", "::ffff:127.0.0.1", named=True) is None
    assert plain_address(ipaddress.ip_address("fe80::1%eth0")) == ipaddress.ip_address("fe80::1")


def test_text_that_is_no_network_raises() -> None:
    with pytest.raises(ValueError, match="kitchen"):
        Destinations(["kitchen"])
