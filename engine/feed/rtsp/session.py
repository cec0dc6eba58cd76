"""One visit's dialogue with an RTSP server. Pure: bytes in; bytes to send, a keyframe, a redirect or a failure out.

    session = Session(url, ...)
    session.begin()                     then send session.drain_outgoing() after this and after every receive
    session.receive(data)               bytes of the connection; they may change afterwards
    session.receive_datagram(data)      a datagram of the RTP port, over UDP
    session.keyframe / .failure / .redirect     one of them is set when the visit is over

Sources: RFC 2326; interleaving 10.12. SETUP asks for one track only, the video.
"""

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from engine.feed.rtsp import auth, message, rtp, sdp
from engine.feed.rtsp.assembler import Assembler, WholeKeyframe
from engine.feed.rtsp.packet_runs import PacketRuns
from engine.feed.rtsp.payload import H264_FRAGMENT, H265_FRAGMENT
from engine.feed.rtsp.reorder import Reorder
from engine.model.keyframe import Codec
from engine.model.visit import FailureReason

_AGENT = "kitchen-patrol"
_NOISE_BYTES_MAX = 65_536
"""Bytes that are neither RTSP nor interleaved packets; some cameras lose their place, but not by more."""
_ATTEMPTS_MAX = 2
"""Answers to a 401 in one request: the second is for a nonce that has become stale."""
_MESSAGES_MAX = 500
"""Responses and requests of the server in one visit; servers that keep alive send one a second at most."""
_PACKET_MARK, _PACKET_HEADER = 0x24, 4
_VERBS = (b"RTSP", b"OPTI", b"ANNO", b"SET_", b"GET_", b"REDI", b"TEAR", b"PAUS", b"DESC", b"PLAY")


@dataclass(frozen=True, slots=True)
class Failure:
    """Why the visit yields no keyframe."""

    reason: FailureReason
    detail: str


class Session:
    """A session in one of its states: DESCRIBE, SETUP, PLAY, STREAM.

    `client_ports`: RTP and RTCP ports for UDP; None means interleaved in TCP. `runs`: passes over many interleaved
    packets at once; without it the session takes one after the other, to the same end.
    """

    def __init__(
        self,
        url: str,
        client_nonce: str,
        client_ports: tuple[int, int] | None = None,
        runs: PacketRuns | None = None,
    ) -> None:
        parts = urlsplit(url)
        self._user, self._password = unquote(parts.username or ""), unquote(parts.password or "")
        host = parts.netloc.rpartition("@")[2]
        self._url = parts._replace(netloc=host).geturl()
        self._base = self._url
        self._client_nonce = client_nonce
        self._client_ports = client_ports
        self._runs = runs
        self._sequence = 0
        self._challenge: auth.Challenge | None = None
        self._answered = self._attempts = self._nonce_count = 0
        self._method = self._target = ""
        self._headers: dict[str, str] = {}
        self._session_id = ""
        self._track: sdp.Track | None = None
        self._assembler: Assembler | None = None
        self._reorder = Reorder()
        self._channel = 0
        self._unparsed = b""
        self._noise_bytes = self._messages = 0
        self._is_h264 = True
        self._skipping = False
        self._outgoing: list[bytes] = []
        self.keyframe: WholeKeyframe | None = None
        self.failure: Failure | None = None
        self.redirect: str | None = None

    @property
    def codec(self) -> Codec:
        """Codec of the keyframe."""
        return (self._track.codec if self._track else None) or Codec.H264

    @property
    def clock_hz(self) -> int:
        """Rate of the clock that the keyframe's timestamp counts."""
        return self._track.clock_hz if self._track else 90_000

    @property
    def playing(self) -> bool:
        """Whether the server has accepted PLAY."""
        return self._method == "STREAM"

    @property
    def answered(self) -> bool:
        """Whether the server has answered any request with a well-formed response."""
        return self._answered > 0

    @property
    def damaged(self) -> int:
        """Keyframes that arrived incomplete."""
        return self._assembler.damaged if self._assembler else 0

    @property
    def idle(self) -> bool:
        """Whether the packets that arrive belong to pictures that are no keyframe."""
        return self._skipping and self._assembler is not None and not self._assembler.collecting

    @property
    def over(self) -> bool:
        """Whether a keyframe, a failure or a redirect ends the visit."""
        return self.keyframe is not None or self.failure is not None or self.redirect is not None

    def begin(self) -> None:
        """Request the description."""
        self._request("DESCRIBE", self._url, {"Accept": "application/sdp"})

    def drain_outgoing(self) -> bytes:
        """Return and forget the bytes to send now."""
        outgoing = b"".join(self._outgoing)
        self._outgoing.clear()
        return outgoing

    def teardown(self) -> bytes:
        """Return the last request, to be sent without waiting for a response; empty if there is no session."""
        if not self._session_id:
            return b""
        self._outgoing.clear()
        self._request("TEARDOWN", self._base, {})
        return self.drain_outgoing()

    def receive(self, data: bytes | memoryview, steps_max: int | None = None) -> bool:
        """Process bytes of the connection; what is needed later is copied.

        Returns whether more can be processed, after `steps_max` packets, runs of packets, or messages: then call again,
        without bytes or with those that come next. 0 keeps the bytes.
        """
        data = b"".join((self._unparsed, data)) if self._unparsed else data
        place, size, steps, more = 0, len(data), 0, False
        while place < size and not self.over:
            if steps == steps_max:
                more = True
                break
            steps += 1
            if data[place] == _PACKET_MARK:
                end = self._pass_packets(data, place)
            else:
                data = bytes(data)  # text among packets is rare
                end = self._pass_text(data, place)
            if end == place:
                break
            place = end
        self._unparsed = b"" if self.over else bytes(data[place:])
        return more

    def receive_datagram(self, data: bytes) -> None:
        """Process a datagram of the RTP port. Datagrams that arrive a little out of order are put in order."""
        packet = rtp.parse(data)
        if packet is None or self._track is None or packet.payload_type != self._track.payload_type:
            return
        for ordered in self._reorder.push(packet):
            self._assemble(ordered)

    def fail(self, reason: FailureReason, detail: str) -> None:
        """End the visit with a failure. Does nothing if it is over."""
        if not self.over:
            self.failure = Failure(reason, detail)

    def connection_closed(self) -> None:
        """Fail if the visit is not over: the server has closed the connection."""
        if not self.over:
            where = "while streaming" if self.playing else f"after {self._method}"
            if self.damaged:
                self.fail(FailureReason.DAMAGED, f"{self.damaged} keyframes came, none of them whole, then it closed")
            else:
                self.fail(FailureReason.PROTOCOL_ERROR, f"the server closed the connection {where}")

    def _pass_text(self, data: bytes, place: int) -> int:
        """Process the message at `place`, or what is none. Returns the offset after it; `place` if it is not whole."""
        if not _begins_message(data, place):
            return self._skip_noise(data, place)
        try:
            parsed = message.parse(data[place : place + message.HEAD_BYTES_MAX + message.BODY_BYTES_MAX])
        except message.MessageError as error:
            self.fail(FailureReason.PROTOCOL_ERROR, f"the server sent {error}")
            return place
        if parsed is None:
            return place
        response, length = parsed
        self._messages += 1
        if self._messages > _MESSAGES_MAX:
            self.fail(FailureReason.FLOOD, f"the server sent more than {_MESSAGES_MAX} messages")
        else:
            self._handle_response(response)
        return place + length

    def _pass_packets(self, data: bytes | memoryview, place: int) -> int:
        """Process the packets at `place`, a run of them or one. Returns the offset after them; `place` if there is no
        whole one."""
        begin = place + _PACKET_HEADER
        if begin > len(data):
            return place
        end = begin + (data[place + 2] << 8 | data[place + 3])
        if end > len(data):
            return place
        if self._runs is not None and (run_end := self._pass_run(self._runs, data, place)) > place:
            return run_end
        if data[place + 1] == self._channel and not self._can_skip(data, begin):
            self._receive_packet(bytes(data[begin:end]))
        return end

    def _pass_run(self, runs: PacketRuns, data: bytes | memoryview, place: int) -> int:
        """Process the run of packets at `place`. Returns the offset after it; `place` if there is none."""
        assembler, track = self._assembler, self._track
        if assembler is None or track is None:
            return place
        header_bytes = 1 if self._is_h264 else 2
        if not assembler.collecting:
            end, slices = runs.skip_slices(data, place, self._channel, header_bytes)
            if slices:
                self._skip_picture()
            return end
        wanted = assembler.wanted_fragments()
        if wanted is None:
            return place
        end, packets, content = runs.take_fragments(
            data, place, self._channel, header_bytes, track.payload_type, wanted
        )
        if packets:
            assembler.add_fragments(packets, content)
        return end

    def _skip_picture(self) -> None:
        if self._assembler is not None and not self._skipping:
            self._assembler.skip()
        self._skipping = True

    def _can_skip(self, data: bytes | memoryview, place: int) -> bool:
        """Whether the packet at `place` is a plain slice of a picture that is no keyframe, by two bytes of it.

        Most packets of a visit are; to parse them no further halves the visit's cost.
        """
        assembler = self._assembler
        if assembler is None or assembler.collecting or place + 15 > len(data) or data[place] != 0x80:
            return False
        if self._is_h264:
            unit_type = data[place + 12] & 0x1F
            plain = unit_type == 1 or (unit_type == H264_FRAGMENT and data[place + 13] & 0x1F == 1)
        else:
            unit_type = data[place + 12] >> 1 & 0x3F
            plain = unit_type < 10 or (unit_type == H265_FRAGMENT and data[place + 14] & 0x3F < 10)
        if plain:
            self._skip_picture()
        self._skipping = plain
        return plain

    def _receive_packet(self, data: bytes) -> None:
        packet = rtp.parse(data)
        if packet is not None and self._track is not None and packet.payload_type == self._track.payload_type:
            self._assemble(packet)

    def _assemble(self, packet: rtp.Packet) -> None:
        if self._assembler is not None and self.keyframe is None:
            self.keyframe = self._assembler.push(packet)

    def _handle_response(self, response: message.Response) -> None:
        if response.status == 0:
            return  # a request of the server (OPTIONS, SET_PARAMETER as keep-alive), which can do without a response
        if self._method == "STREAM":
            return
        if response.headers.get("cseq", "").strip() not in ("", str(self._sequence)):
            return  # a late response to an earlier request
        self._answered += 1
        if response.status == 401:
            self._authenticate(response)
        elif response.status in (301, 302, 303, 305, 307, 308) and "location" in response.headers:
            self.redirect = response.headers["location"].partition("\n")[0]
        elif not 200 <= response.status < 300:
            self._handle_refusal(response)
        elif self._method == "DESCRIBE":
            self._handle_description(response)
        elif self._method == "SETUP":
            self._handle_setup(response)
        elif self._method == "PLAY":
            self._method = "STREAM"

    def _authenticate(self, response: message.Response) -> None:
        challenge = auth.choose(response.headers.get("www-authenticate", ""))
        if not self._user:
            self.fail(FailureReason.UNAUTHORIZED, "the server asks for a user and password; the URL has none")
        elif challenge is None:
            self.fail(FailureReason.UNAUTHORIZED, "the server asks for a kind of authentication that is not supported")
        elif self._attempts >= _ATTEMPTS_MAX or (challenge == self._challenge and self._attempts):
            self.fail(FailureReason.UNAUTHORIZED, "the server refuses this user and password")
        else:
            if self._challenge is None or challenge.nonce != self._challenge.nonce:
                self._nonce_count = 0
            if self._attempts and not challenge.algorithm:
                self.fail(FailureReason.UNAUTHORIZED, "the server refuses this user and password")
                return
            self._challenge = challenge
            self._attempts += 1
            self._send_request()

    def _handle_refusal(self, response: message.Response) -> None:
        status = response.status
        detail = f"{self._method} answered with {status} {response.reason}"
        if status == 403:
            self.fail(FailureReason.UNAUTHORIZED, detail)
        elif status in (404, 410):
            self.fail(FailureReason.NOT_FOUND, f"the server has no stream of that name ({detail})")
        elif status == 415:
            self.fail(FailureReason.UNSUPPORTED_CODEC, detail)
        else:
            self.fail(FailureReason.PROTOCOL_ERROR, detail)

    def _handle_description(self, response: message.Response) -> None:
        description = sdp.parse(response.body)
        track = description.video()
        if track is None:
            kinds = ", ".join(sorted({track.kind for track in description.tracks})) or "nothing"
            self.fail(FailureReason.NO_VIDEO, f"the session offers {kinds}, but no video")
            return
        if track.codec is None or track.interleaves:
            coding = "interleaved order" if track.codec else repr(track.encoding or track.payload_type)
            self.fail(FailureReason.UNSUPPORTED_CODEC, f"video in {coding}; supported over RTSP: H264, H265")
            return
        headers = response.headers
        base = headers.get("content-base") or headers.get("content-location") or self._url
        if "://" not in base:
            base = self._url
        self._base = sdp.control_url(base, description.control)
        self._track = track
        self._assembler = Assembler(track.codec, track.parameter_sets)
        self._is_h264 = track.codec is Codec.H264
        if self._client_ports is None:
            transport = "RTP/AVP/TCP;unicast;interleaved=0-1"
        else:
            transport = f"RTP/AVP;unicast;client_port={self._client_ports[0]}-{self._client_ports[1]}"
        self._request("SETUP", sdp.control_url(base, track.control), {"Transport": transport})

    def _handle_setup(self, response: message.Response) -> None:
        self._session_id = response.headers.get("session", "").partition(";")[0].strip()
        if not self._session_id:
            self.fail(FailureReason.PROTOCOL_ERROR, "SETUP answered without a session")
            return
        for parameter in response.headers.get("transport", "").split(";"):
            name, _, value = parameter.strip().partition("=")
            channel = value.partition("-")[0]
            if name.lower() == "interleaved" and channel.isdecimal() and len(channel) <= 3 and int(channel) < 256:
                self._channel = int(channel)
        self._request("PLAY", self._base, {})

    def _request(self, method: str, target: str, headers: dict[str, str]) -> None:
        self._method, self._target, self._headers = method, target, headers
        self._attempts = 0
        self._send_request()

    def _send_request(self) -> None:
        self._sequence += 1
        headers = {"User-Agent": _AGENT, **self._headers}
        if self._session_id:
            headers["Session"] = self._session_id
        if self._challenge is not None:
            self._nonce_count += 1
            headers["Authorization"] = auth.authorization(
                self._challenge,
                self._user,
                self._password,
                self._method,
                self._target,
                self._nonce_count,
                self._client_nonce,
            )
        self._outgoing.append(message.request(self._method, self._target, self._sequence, headers))

    def _skip_noise(self, data: bytes, place: int) -> int:
        """Return the next offset where a packet or a message may begin; fail if too much is neither."""
        starts = [start for mark in (b"$", b"RTSP/") if (start := data.find(mark, place + 1)) >= 0]
        end = min(starts, default=len(data))
        self._noise_bytes += end - place
        if self._noise_bytes > _NOISE_BYTES_MAX or not self._answered:
            self.fail(FailureReason.PROTOCOL_ERROR, f"the server does not speak RTSP: {data[place : place + 16]!r}")
        return end


def _begins_message(data: bytes, place: int) -> bool:
    head = data[place : place + 4]
    return any(verb.startswith(head) for verb in _VERBS)
