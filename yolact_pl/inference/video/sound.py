"""Sound track of a video, copied into another one."""

import logging
from pathlib import Path

import av
from av.container import OutputContainer
from av.error import FFmpegError
from av.packet import Packet

_log = logging.getLogger(__name__)


class Sound:
    """Copies the first sound track of a file packet by packet, without decoding.

    Args:
        path: of a video file.
        output: gets an additional stream if its format supports the codec; no packet may be written before.
    """

    def __init__(self, path: Path, output: OutputContainer) -> None:
        self._output = output
        self._input = av.open(str(path.absolute()), metadata_errors="ignore")
        streams = self._input.streams
        self._packets = self._input.demux(streams.audio[0]) if streams.audio else iter(())
        self._next: Packet | None = None
        self._start = 0.0
        if not streams.audio:
            return
        pictures = streams.video[0]
        if pictures.start_time is not None and pictures.time_base is not None:
            self._start = float(pictures.start_time * pictures.time_base)
        codec = streams.audio[0].codec_context.name
        if codec not in output.supported_codecs:
            _log.warning("the sound is left out: %s can't hold %s; .mkv holds most", output.name, codec)
            self._packets = iter(())
            return
        self._stream = output.add_stream_from_template(streams.audio[0])
        self._next = self._take()

    def copy_until(self, seconds: float) -> None:
        """Write the packets that begin before this time in seconds after the first frame."""
        while self._next is not None:
            packet = self._next
            assert packet.time_base is not None
            assert packet.pts is not None
            begin = float(packet.pts * packet.time_base) - self._start
            if begin >= seconds:
                return
            self._next = self._take()
            if begin + float((packet.duration or 0) * packet.time_base) <= 0:
                continue  # before the first frame
            shift = round(self._start / packet.time_base)
            packet.pts -= shift
            packet.dts = packet.pts if packet.dts is None else packet.dts - shift
            packet.stream = self._stream
            self._output.mux(packet)

    def close(self) -> None:
        """Close the file."""
        self._next = None
        self._input.close()

    def _take(self) -> Packet | None:
        """The next packet with a time stamp; None at the end, also of a truncated file."""
        try:
            return next((packet for packet in self._packets if packet.pts is not None), None)
        except FFmpegError:
            return None
