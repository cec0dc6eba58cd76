"""The command as a person runs it: exit codes, words, and what a program reads."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from engine.types import Codec
from tests.clips import write_clip


def patrol(*arguments: str, cwd: Path | None = None, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "engine.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=timeout_s, check=False)


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    return write_clip(tmp_path_factory.mktemp("cli") / "clip.mp4", Codec.H264, frames=3, size=(640, 360))


def test_check_gives_one_json_object_a_source(clip: Path) -> None:
    done = patrol("check", str(clip), "ftp://u:secret@h/1", "--json")
    first, second = map(json.loads, done.stdout.splitlines())
    assert set(first) == {"source", "verdict", "kinds", "reason", "scores", "raw", "frame", "error"}
    assert first["verdict"] == "ok"
    assert first["frame"] == {"width": 640, "height": 360, "codec": "h264"}
    assert set(first["scores"]) == {"sharpness", "exposure", "occlusion"}
    assert first["error"] is None
    assert second["error"]["code"] == "source_refused"
    assert "secret" not in done.stdout + done.stderr
    assert done.returncode == 2


def test_check_ends_with_0_1_or_2(clip: Path, tmp_path: Path) -> None:
    assert patrol("check", str(clip)).returncode == 0
    dark = tmp_path / "dark.jpg"
    from PIL import Image

    Image.new("RGB", (640, 360), (3, 3, 3)).save(dark)
    done = patrol("check", str(clip), str(dark))
    assert done.returncode == 1
    assert "too_dark" in done.stdout
    assert patrol("check", str(tmp_path / "absent.mp4")).returncode == 2


def test_check_draws_the_picture(clip: Path, tmp_path: Path) -> None:
    from PIL import Image

    target = tmp_path / "out.png"
    assert patrol("check", str(clip), "--picture", str(target)).returncode == 0
    with Image.open(target) as drawn:
        assert drawn.width == 640
        assert drawn.height > 360
    assert "one source" in patrol("check", str(clip), str(clip), "--picture", str(target)).stderr


def test_the_acceptance_clips_are_judged_as_the_manifest_says(shared_data: Path) -> None:
    done = patrol("check", *map(str, sorted((shared_data / "camera").glob("*.mp4"))), "--json")
    answers = {Path(one["source"]).stem: one for one in map(json.loads, done.stdout.splitlines())}
    for name, answer in answers.items():
        scene = name.partition("_")[0]
        if "defocus" in name or "motion" in name:
            assert answer["kinds"] == ["blurred"], name
        elif name.startswith("street_over"):
            assert answer["kinds"] == ["too_bright"], name
        elif scene in ("canteen", "office180", "road"):
            assert answer["verdict"] == "ok", name
        else:
            assert answer["verdict"] in ("ok", "unknown"), name


def test_broken_streams_are_never_blurred_covered_or_too_dark(shared_data: Path) -> None:
    done = patrol("check", *map(str, sorted((shared_data / "broken").iterdir())), "--json")
    for one in map(json.loads, done.stdout.splitlines()):
        assert not {"blurred", "covered", "partly_covered", "too_dark"} & set(one["kinds"]), one["source"]


def test_a_registry_is_imported_without_an_engine_and_bad_rows_are_named(tmp_path: Path) -> None:
    config = tmp_path / "patrol.toml"
    config.write_text(f'[record]\nurl = "sqlite:///{tmp_path}/p.db"\n[serve]\ngrpc_listen = "127.0.0.1:1"\n')
    rows = tmp_path / "cameras.csv"
    rows.write_text("camera_id,url,region,key_point\na,rtsp://u:secret@h/1,1301,\nb,gopher://h/1,x,kitchen\n")
    done = patrol("cameras", "import", str(rows), "--config", str(config))
    assert done.returncode == 1
    for word in ("key_point", "region", "url", "nothing was taken"):
        assert word in done.stderr
    done = patrol("cameras", "import", str(rows), "--keep-good", "--config", str(config))
    assert "1 added" in done.stdout
    listed = patrol("cameras", "list", "--json", "--config", str(config))
    (camera,) = map(json.loads, listed.stdout.splitlines())
    assert camera["camera"]["url"] == "rtsp://u:***@h/1"
    table = patrol("cameras", "list", "--config", str(config)).stdout.splitlines()
    assert table[0].split() == ["camera", "name", "canteen", "region", "state", "why", "sharp", "expo", "seen"]
    assert "unseen" in table[1]


def test_configuration_is_checked_shown_and_compared(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.toml", tmp_path / "bad.toml"
    shown = patrol("config", "show", "--toml")
    good.write_text(shown.stdout)
    assert patrol("config", "check", str(good)).stdout.endswith("good\n")
    bad.write_text("[feed]\ndeadlin_s = 3\n[scheduler]\nkey_period_s = 0\n")
    done = patrol("config", "check", str(bad))
    assert done.returncode == 2
    assert "did you mean deadline_s" in done.stderr
    assert "scheduler.key_period_s = 0" in done.stderr
    other = tmp_path / "other.toml"
    other.write_text("[scheduler]\nkey_period_s = 60\n[worker]\ncount = 3\n")
    lines = patrol("config", "diff", str(good), str(other)).stdout.splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["worker.count", "scheduler.key_period_s"]
    assert lines[1].endswith("restart")
    assert lines[2].endswith("hot")
    assert "period_s" in patrol("config", "show").stdout


def test_run_says_in_one_sentence_why_it_cannot(tmp_path: Path) -> None:
    config = tmp_path / "patrol.toml"
    config.write_text('[serve]\ngrpc_listen = "0.0.0.0:7702"\n')
    done = patrol("run", "--config", str(config))
    assert done.returncode == 2
    assert "needs serve.tls_cert_file" in done.stderr
    assert "Traceback" not in done.stderr
    (tmp_path / "p.db").write_text("no database" * 100)
    config.write_text(
        f'[record]\nurl = "sqlite:///{tmp_path}/p.db"\nevidence_dir = "{tmp_path}/e"\n'
        '[serve]\ngrpc_listen = "127.0.0.1:0"\nmetrics_listen = ""\n[intake]\nlisten = ""\n'
    )
    done = patrol("run", "--config", str(config))
    assert done.returncode == 2
    assert "not a database" in done.stderr


@pytest.mark.parametrize(
    "command",
    [[], ["run"], ["demo"], ["check"], ["cameras", "import"], ["cameras", "list"], ["config", "show"], ["spot-check"]],
)
def test_every_command_explains_itself(command: list[str]) -> None:
    done = patrol(*command, "--help")
    assert done.returncode == 0
    assert "Usage" in done.stdout


def test_the_demo_names_every_fault(tmp_path: Path) -> None:
    del tmp_path
    done = patrol("demo", "--seconds", "35", timeout_s=150)
    assert "14 of 14 injected faults named, 0 of 18 healthy cameras accused" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0


def test_the_gateway_example_runs_as_it_is(clip: Path, tmp_path: Path) -> None:
    from engine.feed import wire
    from engine.transport import Poller, Transport

    del tmp_path
    transport = Transport()
    pull, address = transport.bind_pull("tcp://127.0.0.1:0", 8 << 20)
    example = Path(__file__).resolve().parents[2] / "examples" / "gateway.py"
    assert len(example.read_text().splitlines()) < 60
    command = [sys.executable, str(example), "cam", str(clip), "--intake", address, "--count", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        poller = Poller()
        poller.watch("pull", pull)
        assert poller.wait(20_000)
        keyframe = wire.unpack_keyframe(pull.receive(), 8 << 20, 0)
        process.wait(10)
    transport.close()
    assert (keyframe.camera_id, keyframe.codec) == ("cam", Codec.H264)
