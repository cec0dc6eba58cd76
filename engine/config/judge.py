"""Settings of the judge: thresholds, and how many visits confirm a fault."""

from engine.config.judging.confirmation import Confirmation
from engine.config.judging.detail import DetailThresholds
from engine.config.judging.light import LightThresholds
from engine.config.judging.optics import OpticsThresholds
from engine.config.judging.scene import SceneThresholds
from engine.config.judging.signal import SignalThresholds


class JudgeSettings(
    SignalThresholds, OpticsThresholds, SceneThresholds, DetailThresholds, LightThresholds, Confirmation
):
    """Thresholds of the judge; docs/measuring.md has the rules.

    Every verdict is stored with its raw figures, the thresholds, and the version of the rules. The keys are documented
    in the order of the parts, the last one first.
    """
