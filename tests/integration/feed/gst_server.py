"""A real RTSP server (gst-rtsp-server), run by the system's Python, which has GStreamer's bindings.

    /usr/bin/python3 gst_server.py CLIP CODEC [USER PASSWORD]   CODEC: h264 or h265; the file is MPEG-4;
                                                                mjpeg: a test picture, without a file
Prints its port, serves rtsp://127.0.0.1:PORT/live until its standard input ends.
"""

import sys
import threading

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402


def main() -> None:
    clip, codec, *login = sys.argv[1:]
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service("0")
    factory = GstRtspServer.RTSPMediaFactory()
    if codec == "mjpeg":
        size = "video/x-raw,format=I420,width=320,height=240,framerate=5/1"
        factory.set_launch(f"( videotestsrc pattern=smpte ! {size} ! jpegenc ! rtpjpegpay name=pay0 pt=26 )")
    else:
        factory.set_launch(f'( filesrc location="{clip}" ! qtdemux ! {codec}parse ! rtp{codec}pay name=pay0 pt=96 )')
    factory.set_shared(False)
    if login:
        auth = GstRtspServer.RTSPAuth()
        token = GstRtspServer.RTSPToken()
        token.set_string("media.factory.role", "user")
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        auth.add_digest(*login, token)
        server.set_auth(auth)
        permissions = GstRtspServer.RTSPPermissions()
        permissions.add_permission_for_role("user", "media.factory.access", True)
        permissions.add_permission_for_role("user", "media.factory.construct", True)
        factory.set_permissions(permissions)
    server.get_mount_points().add_factory("/live", factory)
    server.attach(None)
    loop = GLib.MainLoop()
    threading.Thread(target=lambda: (sys.stdin.read(), loop.quit()), daemon=True).start()
    print(server.get_bound_port(), flush=True)
    loop.run()


main()
