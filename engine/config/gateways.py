"""Settings of gateways: for which cameras the keyframes of each are accepted."""

from engine.config.setting import Section, key


class GatewaySettings(Section):
    """One gateway, by the name of its key file, with the cameras it may push for."""

    name: str = key(
        ...,
        "Name of its key file in `curve_clients_dir`, without `.key`.",
        pattern=r"^[^/\x00-\x1f]{1,100}$",
    )
    regions: tuple[str, ...] = key(
        (), "GB/T 2260 codes of 2, 4 or 6 digits: it may push for the cameras within these regions.", max_length=1000
    )
    cameras: tuple[str, ...] = key((), "Ids of single cameras that it may push for as well.", max_length=10_000)
