"""Finds drops and splashes on the lens: small soft blobs all over a scene that is otherwise in its place. Pure.

One visit does not tell them from people and pots. Drops stay where they are, so only tiles count that were spotted at
the visit before too. Things that were put down are sharp, and something that hides a part leaves no edges there; where
drops are, some edges are softer than in the rest of the picture.

People of the first visits haunt a young baseline, and where they stood the scene looks spotted until they have faded.
So spots count only after the camera has been seen without.
"""

from typing import NamedTuple

import numpy as np

from engine.config.judge import JudgeSettings
from engine.judge.baseline import Baseline
from engine.judge.optics.tile_changes import TileChanges
from engine.judge.picture_rules import Mask, relative_excess
from engine.judge.state import JudgeState
from engine.model.verdict import Cause


class Drops(NamedTuple):
    """Spots of a picture. `tiles`: those spotted at the visit before too, flat; `share`: of all tiles that no mask
    covers; `soft_share`: the same for those that are soft too. `excess`: 0..1, beyond the threshold; None if these are
    no drops."""

    tiles: Mask
    share: float
    soft_share: float
    excess: float | None


def find_drops(
    tile_changes: TileChanges,
    seen_tiles: float,
    baseline: Baseline,
    judge_state: JudgeState,
    settings: JudgeSettings,
) -> Drops | None:
    """Return the spots of a picture; None as long as the camera has not been seen without.

    `seen_tiles`: number of tiles that no privacy mask covers.
    """
    spots = tile_changes.spots
    if not baseline.spots:
        clear = np.count_nonzero(spots) <= settings.spot_clear_max * seen_tiles
        if not clear or baseline.visits < settings.hidden_visits_min:
            return None
        return Drops(np.zeros_like(spots), 0.0, 0.0, None)
    lasting = spots & np.unpackbits(np.frombuffer(baseline.spots, np.uint8)).astype(np.bool_)
    share = float(np.count_nonzero(lasting) / seen_tiles)
    soft_share = float(np.count_nonzero(lasting & tile_changes.soft) / seen_tiles)
    held = settings.hold if judge_state.announced_cause is Cause.DROPS else 1.0
    enough = share >= settings.spot_share_min * held and soft_share >= settings.spot_soft_share_min * held
    excess = relative_excess(share, settings.spot_share_min, 3 * settings.spot_share_min) if enough else None
    return Drops(lasting, share, soft_share, excess)
