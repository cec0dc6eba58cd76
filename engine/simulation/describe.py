"""What docs/scheduler.md says of the files that a rehearsal reads: the world, and what goes wrong in it."""

from collections.abc import Iterator

from engine.config.pages import key_table, shown, table, with_block
from engine.simulation.faults import PRESETS, Faults
from engine.simulation.world import World


def scheduler_page(page: str) -> str:
    """docs/scheduler.md with the keys of both files, the default world and the presets as they are now."""
    page = with_block(
        page, "world keys", [*key_table(World), "", "The defaults as a file:", "", *_fenced(world_toml())]
    )
    presets = table(("preset", "is the file"), ((f"`{name}`", _preset(one)) for name, one in PRESETS.items()))
    return with_block(page, "faults keys", [*key_table(Faults), "", *presets])


def world_toml() -> str:
    """The default world as a file; it loads back to the same."""
    world = World()
    return "\n".join(_lines({name: getattr(world, name) for name in World.model_fields}))


def _lines(tree: dict[str, object]) -> Iterator[str]:
    for name, value in tree.items():
        if isinstance(value, tuple):
            yield from (f"{name} = [", *(f"  {shown(one)}," for one in value), "]")
        else:
            yield f"{name} = {shown(value)}"


def _fenced(text: str) -> list[str]:
    return ["```toml", *text.splitlines(), "```"]


def _preset(faults: Faults) -> str:
    default = Faults()
    own = {name: getattr(faults, name) for name in Faults.model_fields}
    said = [f"`{name} = {shown(value)}`" for name, value in own.items() if value != getattr(default, name)]
    return ", ".join(said) or "empty"


if __name__ == "__main__":
    from pathlib import Path

    path = Path("docs/scheduler.md")
    path.write_text(scheduler_page(path.read_text(encoding="utf-8")), encoding="utf-8")
