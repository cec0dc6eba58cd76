"""The command as a person runs it: exit codes, words, and what a program reads."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf.json_format import ParseDict

from engine.docgen.commands import commands
from engine.model.keyframe import Codec
from patrol.v1 import verdicts_pb2
from tests.support.command_line import patrol
from tests.support.expect import present
from tests.support.feed.clips import write_clip


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("cli") / "clip.mp4", Codec.H264, frames=3, size=(640, 360))


def test_check_gives_one_json_object_a_source(clip: Path) -> None:
    done = patrol("check", str(clip), "ftp://u:secret@h/1", "--json")
    first, second = map(json.loads, done.stdout.splitlines())
    assert set(first) == {"source", "verdict"}
    verdict = first["verdict"]
    assert ParseDict(verdict, verdicts_pb2.Verdict()).state == verdicts_pb2.VERDICT_STATE_OK
    assert (verdict["state"], verdict["width"], verdict["height"], verdict["codec"]) == (
        "VERDICT_STATE_OK", 640, 360, "CODEC_H264",
    )  # fmt: skip
    assert set(verdict["scores"]) == {"sharpness", "exposure", "occlusion"}
    assert "name" not in verdict
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
    answers = {Path(line["source"]).stem: line["verdict"] for line in map(json.loads, done.stdout.splitlines())}
    for name, answer in answers.items():
        scene = name.partition("_")[0]
        if "defocus" in name or "motion" in name:
            assert answer["kinds"] == ["FAULT_KIND_BLURRED"], name
        elif name.startswith("street_over"):
            assert answer["kinds"] == ["FAULT_KIND_TOO_BRIGHT"], name
        elif scene in ("canteen", "office180", "road"):
            assert answer["state"] == "VERDICT_STATE_OK", name
        else:
            assert answer["state"] in ("VERDICT_STATE_OK", "VERDICT_STATE_UNKNOWN"), name


def test_broken_streams_are_never_blurred_covered_or_too_dark(shared_data: Path) -> None:
    done = patrol("check", *map(str, sorted((shared_data / "broken").iterdir())), "--json")
    for line in map(json.loads, done.stdout.splitlines()):
        kinds = {kind.removeprefix("FAULT_KIND_") for kind in line["verdict"].get("kinds", ())}
        assert not {"BLURRED", "COVERED", "PARTLY_COVERED", "TOO_DARK"} & kinds, line["source"]


def test_a_registry_is_imported_without_an_engine_and_bad_rows_are_named(tmp_path: Path) -> None:
    config = tmp_path / "patrol.toml"
    config.write_text(f'[record]\nurl = "sqlite:///{tmp_path}/p.db"\n[serve]\ngrpc_listen = "127.0.0.1:1"\n')
    rows = tmp_path / "cameras.csv"
    rows.write_text("camera_id,url,region,key_point\na,rtsp://u:secret@h/1,1301,\nb,gopher://h/1,x,kitchen\n")
    done = patrol("cameras", "import", str(rows), "--config", str(config))
    assert done.returncode == 1
    for word in ("key_point", "region", "url", "nothing was imported"):
        assert word in done.stderr
    done = patrol("cameras", "import", str(rows), "--keep-good", "--config", str(config))
    assert "1 added" in done.stdout
    listed = patrol("cameras", "list", "--json", "--config", str(config))
    (camera,) = map(json.loads, listed.stdout.splitlines())
    assert (camera["name"], camera["url"]) == ("cameras/a", "rtsp://u:***@h/1")
    table = patrol("cameras", "list", "--config", str(config)).stdout.splitlines()
    assert table[0].split() == [
        "camera",
        "name",
        "canteen",
        "region",
        "state",
        "why",
        "sharp",
        "expo",
        "seen",
        "(UTC+8)",
    ]
    assert "unseen" in table[1]


def test_a_registry_goes_out_under_gb_names_and_comes_back_unchanged(tmp_path: Path) -> None:
    config = tmp_path / "patrol.toml"
    config.write_text(f'[record]\nurl = "sqlite:///{tmp_path}/p.db"\n[serve]\ngrpc_listen = "127.0.0.1:1"\n')
    rows = tmp_path / "cameras.csv"
    rows.write_text(
        "gbDeviceId,gbName,gbModel,url\n13010200001310000001,灶台,DS,rtsp://u:secret@h/1\n"
        "13020200001310000001,,,rtsp://h/2\n"
    )
    done = patrol("cameras", "import", str(rows), "--config", str(config))
    assert "2 added" in done.stdout
    assert "gbModel is not kept by the registry (1 rows)" in done.stderr
    options = ("--fields", "gbt28181", "--region", "1301", "--with-verdict", "--config", str(config))
    out = tmp_path / "out.jsonl"
    assert "1 cameras" in patrol("cameras", "export", str(out), *options).stderr
    (line,) = map(json.loads, out.read_text(encoding="utf-8").splitlines())
    assert (line["gbDeviceId"], line["gbCivilCode"], line["url"]) == (
        "13010200001310000001", "130102", "rtsp://u:***@h/1",
    )  # fmt: skip
    assert line["verdict_state"] == "unseen"
    assert "0 added, 0 changed, 1 unchanged" in patrol("cameras", "import", str(out), "--config", str(config)).stdout
    shown = patrol("cameras", "export", "-", "--format", "csv", "--config", str(config)).stdout
    assert [row.partition(",")[0] for row in shown.splitlines()] == [
        "camera_id",
        "13010200001310000001",
        "13020200001310000001",
    ]
    assert "secret" not in shown
    private = tmp_path / "private.csv"
    patrol("cameras", "export", str(private), "--with-passwords", "--config", str(config))
    assert "rtsp://u:secret@h/1" in private.read_text(encoding="utf-8-sig")
    done = patrol("cameras", "export", str(private), "--with-passwords", "--server", "127.0.0.1:1")
    assert done.returncode == 2
    assert "never leave an engine" in done.stderr


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


def test_a_check_says_with_the_arithmetic_what_a_file_makes_impossible(tmp_path: Path) -> None:
    config = tmp_path / "patrol.toml"
    config.write_text(
        "[scheduler]\nkey_period_s = 300\nvisits_max = 500\nstarts_per_s_max = 1000\n"
        "[feed]\nfeeders = 2\n[intake]\nqueue_frames_max = 4000\n"
    )
    wanted = (
        "131,072 cameras x 3 s / 300 s = 1,311 visits in flight, scheduler.visits_max is 500; raise the cap, or "
        "lengthen the periods"
    )
    done = patrol("config", "check", str(config), "--cameras", "131072", "--cores", "4")
    assert done.stdout.splitlines() == [f"warning: {wanted}", f"{config}: usable, 1 warning for 131,072 cameras"]
    assert done.returncode == 1
    told = patrol("config", "check", str(config), "--cameras", "131072", "--cores", "4", "--json")
    assert json.loads(told.stdout) == {"file": str(config), "cameras": 131_072, "warnings": [wanted]}
    assert told.returncode == 1
    good = patrol("config", "check", str(config), "--cameras", "49000", "--cores", "4")
    assert (good.stdout, good.returncode) == (f"{config}: good for 49,000 cameras\n", 0)


def test_a_check_with_a_registry_counts_its_recorders_platforms_hours_and_bad_rows(tmp_path: Path) -> None:
    config, registry = tmp_path / "patrol.toml", tmp_path / "cameras.csv"
    calendar = tmp_path / "calendar.toml"
    config.write_text(f'[scheduler]\nkey_period_s = 60\nordinary_period_s = 120\ncalendar_file = "{calendar}"\n')
    calendar.write_text('[[terms]]\nregion = "13"\nfirst = 2020-09-01\nlast = 2021-01-15\n')
    header = "camera_id,url,region,key_point,uplink,hours"
    rows = [f"c{n},rtsp://10.0.0.1/{n},130102,{'cooking' if n % 2 else 'storage'},nvr-1," for n in range(40)]
    rows += ["night,rtsp://10.0.0.2/1,4403,cooking,nvr-2,mon-fri 01:00-01:30", "bad,gopher://x,4403,cooking,nvr-2,"]
    registry.write_text("\n".join([header, *rows]) + "\n")
    done = patrol("config", "check", str(config), "--registry", str(registry), "--cores", "4")
    assert done.stdout.splitlines() == [
        "warning: recorder nvr-1: (20 key points / 60 s + 20 others / 120 s) x 3 s = 1.5 visits in flight, "
        "scheduler.visits_per_uplink_max is 1; raise the cap, or lengthen the periods",
        "warning: hours (all day) in the terms of region 13 do not come in the next 400 days: 40 cameras have no "
        "period to keep; mend the hours, or terms and holidays in scheduler.calendar_file",
        f"warning: {registry}: 1 bad rows were left out; `patrol cameras import` names them",
        f"{config}: usable, 3 warnings for 41 cameras",
    ]
    assert done.returncode == 1


def test_a_check_reads_the_calendar_and_what_it_never_lets_come(tmp_path: Path) -> None:
    config, calendar = tmp_path / "patrol.toml", tmp_path / "calendar.toml"
    config.write_text(f'[scheduler]\ncalendar_file = "{calendar}"\n')
    done = patrol("config", "check", str(config))
    assert (done.returncode, done.stdout) == (2, "")
    assert f"scheduler.calendar_file = '{calendar}': No such file or directory" in done.stderr
    calendar.write_text('timezone = "Mars"\n[[terms]]\nfirst = 2026-02-01\nlast = 2026-01-01\n')
    done = patrol("config", "check", str(config))
    assert done.returncode == 2
    assert "timezone = 'Mars': no such time zone; allowed: names like Asia/Shanghai; correct the entry" in done.stderr
    assert "first (2026-02-01) is after last (2026-01-01); exchange the two; correct the entry" in done.stderr
    calendar.write_text('[[terms]]\nregion = "13"\nfirst = 2020-09-01\nlast = 2021-01-15\n')
    done = patrol("config", "check", str(config))
    assert done.returncode == 1
    assert done.stdout.splitlines()[0] == (
        "warning: hours (all day) in the terms of region 13 do not come in the next 400 days; mend the hours, or terms "
        "and holidays in scheduler.calendar_file"
    )


def test_a_check_wants_a_registry_or_a_number_not_both(tmp_path: Path) -> None:
    config = tmp_path / "patrol.toml"
    config.write_text("")
    done = patrol("config", "check", str(config), "--registry", "cameras.csv", "--cameras", "5")
    assert done.returncode == 2
    assert "give one of them" in done.stderr


def test_a_diff_ends_as_diff_does(tmp_path: Path) -> None:
    old, new, bad = (tmp_path / f"{name}.toml" for name in ("old", "new", "bad"))
    old.write_text("[scheduler]\nkey_period_s = 900\n")
    new.write_text("[scheduler]\nkey_period_s = 600\n[record]\nurl = 'postgresql://u:secret@h/p'\n")
    bad.write_text("[scheduler]\nkey_period = 600\n")
    same = patrol("config", "diff", str(old), str(old))
    assert (same.stdout, same.returncode) == ("no key differs\n", 0)
    assert patrol("config", "diff", str(old), str(bad)).returncode == 2
    done = patrol("config", "diff", str(old), str(new), "--json")
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert told["restart"] is True
    assert told["changes"][0] == {
        "key": "scheduler.key_period_s",
        "oldValue": "900.0",
        "newValue": "600.0",
        "hot": True,
    }
    assert told["changes"][1]["key"] == "record.url"
    assert "secret" not in done.stdout


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
        '[web]\nenabled = false\n[serve]\ngrpc_listen = "127.0.0.1:0"\nmetrics_listen = ""\n[intake]\nlisten = ""\n'
    )
    done = patrol("run", "--config", str(config))
    assert done.returncode == 2
    assert "not a database" in done.stderr


@pytest.mark.parametrize("words", [(), ("cameras",), ("config",), *(words for words, _ in commands())])
def test_every_command_explains_itself(words: tuple[str, ...]) -> None:
    done = patrol(*words, "--help")
    assert done.returncode == 0
    assert "Usage" in done.stdout
    assert " ".join(("patrol", *words)).replace("patrol ", "") in done.stdout


@pytest.mark.long
def test_the_demo_names_every_fault(tmp_path: Path) -> None:
    del tmp_path
    done = patrol("demo", "--seconds", "35", timeout_s=150)
    assert "14 of 14 injected faults named, 0 of 18 healthy cameras accused" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0


def test_the_gateway_example_runs_as_it_is(clip: Path, tmp_path: Path) -> None:
    from engine.feed import wire
    from engine.runtime.transport import Poller, Transport

    del tmp_path
    transport = Transport()
    pull, address = transport.bind_pull("tcp://127.0.0.1:0", 8 << 20)
    example = Path(__file__).resolve().parents[3] / "examples" / "gateway.py"
    assert len(example.read_text().splitlines()) < 60
    command = [sys.executable, str(example), "cam", str(clip), "--intake", address, "--count", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        poller = Poller()
        poller.watch("pull", pull)
        assert poller.wait(20_000)
        keyframe = wire.unpack_keyframe(present(pull.receive()), 8 << 20, 0)
        process.wait(10)
    transport.close()
    assert (keyframe.camera_id, keyframe.codec) == ("cam", Codec.H264)
