"""What demuxers read from: connections that the engine opens itself, so that it decides where to and how much.

FFmpeg opens no connection to a camera. HTTP and HLS are fetched here and handed to it as bytes; RTMP, and RTSP where
FFmpeg is the second try, pass through a relay.
"""
