"""What a metric is: its name, its labels with the values they can have, its unit. Pure.

A label names all its values, so that each series exists from the start: Prometheus cannot see the first increase of a
series that begins at 1. A label whose values nobody can know says why.
"""

from dataclasses import dataclass
from itertools import product
from typing import Literal

OTHER = "other"
"""The label value that values beyond a bound, or beyond the known ones, are summed under."""

Kind = Literal["counter", "gauge", "histogram", "info"]


@dataclass(frozen=True, slots=True)
class Label:
    """A label with all the values it can have, or with the reason why they are not known at the start.

    A value that is not among `values` counts as OTHER. Raises ValueError unless exactly one of `values` and
    `unknown_because` is given.
    """

    name: str
    values: tuple[str, ...] = ()
    unknown_because: str = ""

    def __post_init__(self) -> None:
        """Refuse a label that leaves open what its values are."""
        if bool(self.values) == bool(self.unknown_because):
            raise ValueError(
                f"label {self.name}: give its values, or say why they are not known; not both, not neither"
            )


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric; a row of docs/metrics.md. `unit`: of its value, in the plural. `help`: what it means. `what_to_do`:
    when its value is bad, for those on call; `Nothing: for information.` where it never is."""

    name: str
    kind: Kind
    labels: tuple[Label, ...]
    unit: str
    help: str
    what_to_do: str

    @property
    def label_names(self) -> tuple[str, ...]:
        """The names of the labels."""
        return tuple(label.name for label in self.labels)

    def known_series(self, **fixed: str) -> list[tuple[str, ...]]:
        """Return the label values of every series that is known. `fixed`: values of labels that are not known by
        themselves; without them a metric with such a label has no known series.
        """
        values = ((fixed[label.name],) if label.name in fixed else label.values for label in self.labels)
        return list(product(*values))
