"""Steps: servers, registry, verdicts of all forty cameras, a watch over a restart."""

import threading

from tests.trial.machine import Trial, outcomes
from tests.trial.steps import expect, step

CAMERAS = 40
VERDICTS_S = 120.0


@step("forty cameras on live555, gst-rtsp-server, nginx-rtmp, ffmpeg and HTTP with Digest")
def servers(trial: Trial) -> str:
    trial.start_servers()
    expect(len(trial.cameras) == CAMERAS, f"{len(trial.cameras)} cameras")
    by_server: dict[str, int] = {}
    for camera in trial.cameras.values():
        by_server[camera.server] = by_server.get(camera.server, 0) + 1
    return ", ".join(f"{server} {count}" for server, count in by_server.items())


@step("patrol run starts; patrol cameras import adds the cameras")
def imported(trial: Trial) -> str:
    trial.start_engine()
    done = trial.patrol("cameras", "import", "cameras.csv", "--config", "patrol.toml")
    expect(done.returncode == 0, done.stderr)
    expect(f"{CAMERAS} added" in done.stdout, done.stdout)
    return done.stdout.strip()


@step("every camera is visited")
def visited(trial: Trial) -> str:
    trial.wait(lambda: all(trial.latest().values()), VERDICTS_S, "a verdict of every camera")
    return f"{len(trial.latest())} verdicts"


@step("what is announced of each is right")
def verdicts(trial: Trial) -> str:
    try:
        trial.wait(lambda: not outcomes(trial.cameras, trial.latest()), VERDICTS_S, "the expected verdicts")
    except AssertionError:
        wrong = outcomes(trial.cameras, trial.latest())
        raise AssertionError(f"{len(wrong)} are not: {'; '.join(wrong)}") from None
    states = [camera.state for camera in trial.cameras.values()]
    return ", ".join(f"{state} {states.count(state)}" for state in ("ok", "fault", "offline"))


@step("a watch goes on over a restart, nothing missing and nothing double")
def watch(trial: Trial) -> str:
    seen: list[int] = []
    with trial.client() as client:
        over = threading.Event()

        def follow() -> None:
            for verdict in client.watch():
                seen.append(verdict.visit_id)
                if over.is_set():
                    break

        follower = threading.Thread(target=follow, daemon=True)
        follower.start()
        trial.wait(lambda: len(seen) > 20, 30, "20 verdicts")
        trial.stop_engine()
        before = len(seen)
        trial.start_engine()
        trial.wait(lambda: len(seen) > before + 20, 60, "20 verdicts after the restart")
        over.set()
        follower.join(30)
    expect(len(seen) == len(set(seen)), f"{len(seen) - len(set(seen))} came twice")
    ids = _stored_since(trial, seen[0], seen[-1])
    expect(not ids - set(seen), f"{len(ids - set(seen))} are missing")
    return f"{before} before, {len(seen) - before} after, {len(ids)} stored between the first and the last"


def _stored_since(trial: Trial, first: int, last: int) -> set[int]:
    """Ids of the verdicts from the first to the last in the order of commits, from an export."""
    import pyarrow.parquet

    done = trial.patrol("export", "verdicts", "verdicts.parquet", "--config", "patrol.toml")
    expect(done.returncode == 0, done.stderr)
    columns = pyarrow.parquet.read_table(trial.folder / "verdicts.parquet", columns=["seq", "visit_id"]).to_pydict()
    seq_of = dict(zip(map(int, columns["visit_id"]), columns["seq"], strict=True))
    return {visit for visit, seq in seq_of.items() if seq_of[first] <= seq <= seq_of[last]}
