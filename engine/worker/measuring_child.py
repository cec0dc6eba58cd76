"""A process that measures keyframes for another: `python -m engine.worker.measuring_child PIPE CPU_LIMIT_S CONFINE`.

`patrol check` decodes here and not in its own process, since a picture that spends its budget ends the process that
decodes it. It sends READY once its code is compiled. Jobs and results are messages of engine/worker/wire.py, each
frame one message on the pipe.
"""

import os
import signal
import sys
from multiprocessing.connection import Connection
from typing import cast

from engine.decode import warmup as decode
from engine.errors import ConfigError
from engine.kernels import warmup as kernels
from engine.model.keyframe import PAYLOAD_BYTES_MAX
from engine.runtime.confinement import ConfineMode, Policy, confine, readable
from engine.runtime.memory import keep_freed_memory
from engine.worker import wire
from engine.worker.cpu_budget import CpuBudget

READY = b"ready"


def main(arguments: list[str]) -> int:
    """Measure until the pipe ends. `arguments`: descriptor of the pipe, CPU seconds for the largest picture,
    runtime.confine."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches both; the parent ends the pipe
    keep_freed_memory()
    pipe, cpu_limit_s, mode = arguments
    connection: Connection = Connection(int(pipe))
    kernels.warm_up()
    decode.warm_up()
    from engine.decode.decoder import Decoder
    from engine.worker.process import run_job

    budget = CpuBudget(float(cpu_limit_s))
    decoder = Decoder(before_decode=budget.size_known)
    try:
        confine(Policy(readable.for_python(os.environ)), cast(ConfineMode, mode)).hub_reached()
    except ConfigError as error:
        print(error, file=sys.stderr)  # noqa: T201 (it has no log; the command that started it shows this)
        return 2
    try:
        connection.send_bytes(READY)
        while True:
            frames = [connection.recv_bytes() for _ in range(wire.JOB_FRAMES)]
            job = wire.unpack_job(list(frames), PAYLOAD_BYTES_MAX)
            budget.begin()
            outcome = run_job(decoder, job)
            budget.end()
            for frame in wire.pack_result(wire.Result(job.job_id, outcome)):
                connection.send_bytes(frame)
    except (EOFError, OSError):
        return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
