"""Finds drops and splashes on the lens: small soft blobs all over a scene that is otherwise in its place. Pure.

One visit does not tell them from people and pots. Drops stay where they are, so only tiles count that were spotted at
the visit before too. Things that were put down are sharp, and something that hides a part leaves no edges there; where
drops are, some edges are softer than in the rest of the picture.

A camera that was pushed a little shows spots along every edge of the scene, and as many soft ones as drops. But there
the difference from the usual picture follows the slope of light and shade: what shift, rotation and scale explain of it
tells the two apart.

People of the first visits haunt a young baseline, and where they stood the scene looks spotted until they have faded.
So spots count only after the camera has been seen without.
"""

from typing import NamedTuple

import numpy as np

from engine.config.judge import JudgeSettings
from engine.judge.baseline import COLUMNS, ROWS, SPOTS_BYTES, Baseline
from engine.judge.compare import SceneChange
from engine.judge.optics.tile_changes import TileChanges
from engine.judge.picture_rules import Mask, relative_excess
from engine.judge.state import JudgeState
from engine.model.verdict import Cause


class Drops(NamedTuple):
    """Spots of a picture. `tiles`: those spotted at the visit before too, as bits; `share`: of all tiles that no mask
    covers; `soft_share`: the same for those that are soft too. `excess`: 0..1, beyond the threshold; None if these are
    no drops."""

    tiles: int
    share: float
    soft_share: float
    excess: float | None

    @property
    def mask(self) -> Mask:
        """The tiles, flat."""
        return np.unpackbits(np.frombuffer(self.tiles.to_bytes(SPOTS_BYTES, "big"), np.uint8)).astype(np.bool_)


def find_drops(
    tile_changes: TileChanges,
    change: SceneChange,
    seen_tiles: float,
    baseline: Baseline,
    judge_state: JudgeState,
    settings: JudgeSettings,
) -> Drops | None:
    """Return the spots of a picture; None as long as the camera has not been seen without.

    `change`: of the same picture; `seen_tiles`: number of tiles that no privacy mask covers.
    """
    spots = int.from_bytes(tile_changes.spots, "big")
    if not baseline.spots:
        clear = spots.bit_count() <= settings.spot_clear_max * seen_tiles
        return Drops(0, 0.0, 0.0, None) if clear and baseline.visits >= settings.hidden_visits_min else None
    lasting = spots & int.from_bytes(baseline.spots, "big")
    share = lasting.bit_count() / seen_tiles
    soft_share = (lasting & int.from_bytes(tile_changes.soft, "big")).bit_count() / seen_tiles
    held = settings.hold if judge_state.announced_cause is Cause.DROPS else 1.0
    enough = share >= settings.spot_share_min * held and soft_share >= settings.spot_soft_share_min * held
    if not enough or moved_share(change) > settings.spot_moved_max:
        return Drops(lasting, share, soft_share, None)
    excess = relative_excess(share, settings.spot_share_min, 3 * settings.spot_share_min)
    return Drops(lasting, share, soft_share, excess)


def moved_share(change: SceneChange) -> float:
    """Return how much of the difference from the usual cells a small motion of the camera explains, 0..1.

    Least squares over the cells, of shifts, rotation and scale, to first order (Lucas and Kanade, IJCAI 1981).
    """
    current, usual = (grid.astype(np.float64).reshape(2 * ROWS, 2 * COLUMNS) for grid in change.highpassed)
    down, across = np.gradient((current + usual) / 2.0)
    y, x = np.mgrid[0 : 2 * ROWS, 0 : 2 * COLUMNS] - np.array([ROWS - 0.5, COLUMNS - 0.5])[:, None, None]
    motions = np.stack([across, down, across * y - down * x, across * x + down * y], axis=-1).reshape(-1, 4)
    difference = (current - usual).ravel()
    left = difference - motions @ np.linalg.lstsq(motions, difference, rcond=None)[0]
    power = float(difference @ difference)
    return 1.0 - float(left @ left) / power if power > 0.0 else 0.0
