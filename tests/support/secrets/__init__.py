"""The forms in which vendors, platforms and people write a secret into a URL, for the tests that search for it."""

VENDOR_URLS = (
    "rtsp://admin:{}@10.0.0.1:554/Streaming/Channels/101?transportmode=unicast",  # Hikvision
    "rtsp://admin:{}@10.0.0.1:554/cam/realmonitor?channel=1&subtype=0",  # Dahua
    "rtsp://10.0.0.1:554/cam/realmonitor?channel=1&subtype=0&authbasic={}",  # Dahua
    "rtsp://admin:{}@10.0.0.1/unicast/c1/s0/live",  # Uniview
    "rtsp://10.0.0.1:554/user=admin_password={}_channel=1_stream=0.sdp?real_stream",  # Xiongmai
    "rtsp://10.0.0.1:554/user=admin&password={}&channel=1&stream=0.sdp?",  # Xiongmai
    "rtsp://10.0.0.1:554/user=admin_password={}",  # Xiongmai
    "rtsp://admin:{}@10.0.0.1:554/stream1",  # TP-Link
    "http://10.0.0.1/cgi-bin/api.cgi?cmd=Snap&channel=0&rs=wuuPhkmUCeI9WG7C&user=admin&password={}",  # Reolink
    "rtmp://10.0.0.1/bcs/channel0_main.bcs?channel=0&stream=0&user=admin&password={}",  # Reolink
    "http://root:{}@10.0.0.1/axis-cgi/jpg/image.cgi?resolution=1920x1080",  # Axis
    "http://10.0.0.1:88/cgi-bin/CGIProxy.fcgi?cmd=snapPicture2&usr=admin&pwd={}",  # Foscam
    "http://10.0.0.1/snapshot.cgi?loginuse=admin&loginpas={}",  # Vstarcam
    "rtsp://10.0.0.1/live0.264?user=admin&passwd={}",  # Jovision
    "rtsp://10.0.0.1:554/0/admin:{}/main",  # Sunell
    "rtsp://10.0.0.1/live?username=admin&psw={}",
    "rtsp://10.0.0.1/live?usr=admin&pass={}",
    "rtsp://{}@10.0.0.1:554/live",
    "rtsp://:{}@10.0.0.1:554/live",
    "rtmp://media.example/live/kitchen?token={}",
    "rtmp://media.example/live/kitchen?access_token={}&expires=1",
    "http://media.example/live/kitchen.flv?auth_key={}",  # Aliyun
    "rtmp://media.example/live/kitchen?txSecret={}&txTime=5C2A3CFF",  # Tencent
    "rtmp://media.example/live/kitchen?wsSecret={}&wsTime=5C2A3CFF",  # Wangsu
    "http://media.example/index/api/getSnap?secret={}&url=rtsp://10.0.0.1/1",  # ZLMediaKit
    "rtsp://media.example/rtp/34020000001320000001?callId=1&sign={}",  # WVP
    "http://media.example/live.flv?auth={}",
    "http://media.example/live.flv?key={}",
    "http://media.example/live.flv?X-Amz-Signature={}",
    "http://media.example/live.flv?streamKey={}",
    "http://media.example/live.flv;password={};channel=1",
    "http://media.example/live.flv#password={}",
    "rtsp://media.example/live/1#{}",
    "http://media.example/live/token/{}/kitchen.flv",
    "http://media.example/proxy?url=rtsp://admin:{}@10.0.0.1/1",
    "http://media.example/proxy?url=rtsp%3A%2F%2Fadmin%3A{}%4010.0.0.1%2F1",
    "http://media.example/proxy?url=http%253A%252F%252Fh%252F%253Fpassword%253D{}%2526channel%253D1",
    "http://media.example/proxy/cameras/rtsp:%2F%2Fadmin:{}@10.0.0.1%2F1",
    "http://media.example/proxy?a=1%26password%3D{}%26channel%3D1",
    "http://media.example/live.flv?%70assword={}",
    "http://media.example/live.flv?user[password]={}",
    "http://media.example/live.flv?user=admin&amp;pwd={}&amp;channel=1",
)  # fmt: skip
"""Each `{}` is where the secret stands."""

TEXTS = (
    "{}",
    "cannot open {} (refused)",
    "URL '{}': names no host",
    'it says "{}", and ends',
    "first {}\nthen nothing",
    "camera_id,url\na,{}\n",
    '{{"url": "{}", "name": "b"}}',
    "<a href='{}'>x</a>",
)
"""Texts around a URL."""
