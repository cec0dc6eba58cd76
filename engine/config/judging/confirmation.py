"""Settings of how many visits confirm a fault, and of what a picture must have to be judged."""

from engine.config.setting import Section, key


class Confirmation(Section):
    """How many visits confirm a fault, and what gives a picture to judge."""

    confirm_n: int = key(
        2, "A fault is announced once this many of the last `confirm_m` visits showed it.", ge=1, le=20
    )
    confirm_m: int = key(3, "Number of latest visits among which `confirm_n` must show the fault.", ge=1, le=20)
    recover_n: int = key(2, "An announced fault is withdrawn after this many ok visits in a row.", ge=1, le=20)
    hold: float = key(
        0.9,
        "While a fault is announced, its threshold is relaxed by this factor, so that the fault does not flap.",
        ge=0.5,
        le=1,
    )
    lines_min: int = key(
        180,
        "Without a baseline, a picture with fewer lines shows too little to be judged: it is doubtful.",
        unit="lines",
        ge=0,
        le=8192,
    )
    flat_share_min: float = key(
        0.5, "The signal is lost if at least this share of the tiles has neither change nor noise.", ge=0, le=1
    )
