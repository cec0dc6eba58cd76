"""Who has a finding open in a console. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Viewer:
    """`name`: of the viewer's token. `marked_wall_ns`: when the viewer last said so."""

    name: str
    marked_wall_ns: int
