"""Starts the media servers of the trial on free ports of loopback, and stops them."""

import contextlib
import random
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.ports import free_port, free_ports
from tests.support.waiting import wait_until
from tests.trial import live555
from tests.trial.clips import ClipFiles
from tests.trial.steps import CannotRunError

GST_PROGRAM = Path(__file__).resolve().parents[1] / "integration" / "feed" / "gst_server.py"
RTMP_MODULE = Path("/usr/lib/nginx/modules/ngx_rtmp_module.so")


@contextmanager
def running(*command: str, stdin: int = subprocess.DEVNULL) -> Iterator["subprocess.Popen[str]"]:
    """Run a program until the end of the context."""
    process = subprocess.Popen(
        command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


def listens(port: int) -> bool:
    """Whether something listens on a port."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.3):
        return True
    return False


@contextmanager
def live555_server(clips: dict[str, ClipFiles]) -> Iterator[int]:
    """Serve all clips over RTSP; gives the port."""
    program, port = live555.server(), free_port()
    mounts = [f"{name}={files.stream}" for name, files in clips.items()]
    with running(str(program), str(port), *mounts):
        wait_until(lambda: listens(port), 10, what="live555")
        yield port


@contextmanager
def gst_servers(clips: dict[str, ClipFiles]) -> Iterator[dict[str, int]]:
    """Serve three clips, each by a server of its own, and one behind Digest (`login`); gives the ports."""
    python = "/usr/bin/python3"
    probe = "import gi; gi.require_version('GstRtspServer', '1.0')"
    if subprocess.run([python, "-c", probe], capture_output=True, check=False).returncode:
        raise CannotRunError("apt-get install gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-good python3-gi")
    wanted = {name: (name, ()) for name in ("clear-h264", "clear-h265", "covered-h264")}
    with contextlib.ExitStack() as stack:
        ports = {}
        for name, (clip, login) in {**wanted, "login": ("clear-h264", ("user", "trial"))}.items():
            command = [python, str(GST_PROGRAM), str(clips[clip].movie), clip.rpartition("-")[2], *login]
            process = stack.enter_context(running(*command, stdin=subprocess.PIPE))
            assert process.stdout is not None
            ports[name] = int(process.stdout.readline())
        yield ports


@contextmanager
def nginx(folder: Path, clips: dict[str, ClipFiles]) -> Iterator[tuple[int, int]]:
    """Serve RTMP and HLS; ffmpeg loops each H.264 clip into it. Gives both ports."""
    if not RTMP_MODULE.exists():
        raise CannotRunError("apt-get install nginx libnginx-mod-rtmp")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "hls").mkdir(exist_ok=True)
    rtmp, hls = free_ports(2)
    config = folder / "nginx.conf"
    config.write_text(
        f"load_module {RTMP_MODULE};\nuser root;\ndaemon off;\nmaster_process off;\npid {folder}/pid;\n"
        f"error_log {folder}/log;\nevents {{ worker_connections 256; }}\n"
        f"rtmp {{ server {{ listen 127.0.0.1:{rtmp}; application live {{ live on; wait_key on; idle_streams off; "
        f"hls on; hls_path {folder}/hls; hls_fragment 2s; hls_playlist_length 8s; }} }} }}\n"
        f"http {{ access_log off; client_body_temp_path {folder}; proxy_temp_path {folder}; "
        f"fastcgi_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder}; "
        f"types {{ application/vnd.apple.mpegurl m3u8; video/mp2t ts; }} "
        f"server {{ listen 127.0.0.1:{hls}; location /hls {{ root {folder}; }} }} }}\n"
    )
    with contextlib.ExitStack() as stack:
        stack.enter_context(running("nginx", "-c", str(config), "-p", str(folder)))
        wait_until(lambda: listens(rtmp) and listens(hls), 10, what=f"nginx, whose log is {folder}/log")
        for name, files in clips.items():
            if name.endswith("h264"):
                loop = ("ffmpeg", "-v", "error", "-re", "-stream_loop", "-1", "-i", str(files.movie), "-c", "copy")
                stack.enter_context(running(*loop, "-f", "flv", f"rtmp://127.0.0.1:{rtmp}/live/{name}"))
        yield rtmp, hls


@contextmanager
def ffmpeg_servers(movie: Path, container: str, name: str, count: int) -> Iterator[list[int]]:
    """Serve a clip by ffmpeg's own HTTP server, which ends with its caller and is started again. Gives the ports.

    Each start begins at another moment of the clip, as a live camera would.
    """
    over = threading.Event()
    ports = free_ports(count)

    def serve(port: int) -> None:
        draw = random.Random(port)
        while not over.is_set():
            play = (
                "ffmpeg",
                "-v",
                "error",
                "-re",
                "-ss",
                str(draw.randrange(10)),
                "-stream_loop",
                "-1",
                "-i",
                str(movie),
            )
            listen = ("-c", "copy", "-f", container, "-listen", "1", f"http://127.0.0.1:{port}/{name}")
            with running(*play, *listen) as process:
                while process.poll() is None and not over.wait(0.05):
                    pass

    threads = [threading.Thread(target=serve, args=(port,)) for port in ports]
    for thread in threads:
        thread.start()
    try:
        yield ports
    finally:
        over.set()
        for thread in threads:
            thread.join()


@contextmanager
def silent_server() -> Iterator[int]:
    """Accept connections and never answer."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield listener.getsockname()[1]
