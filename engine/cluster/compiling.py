"""Compiles the engine's code on a machine before it gets shards, so that a shard that moves there need not wait for it:
`python -m engine.cluster.compiling`.
"""

import subprocess
import sys

from engine.decode import warmup as decode
from engine.feed import warmup as feed
from engine.judge import warmup as judge
from engine.kernels import warmup as kernels
from engine.runtime.compile_stage import COMPILE_S_MAX
from engine.runtime.log import logger


def compile_code() -> None:
    """Compile it in a process of its own, whose memory is free again afterwards; done at once if it was done before."""
    try:
        subprocess.run([sys.executable, "-m", "engine.cluster.compiling"], timeout=COMPILE_S_MAX, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        logger().warning("the engine's code is not compiled yet; the first engine here does that", detail=str(error))


if __name__ == "__main__":
    kernels.warm_up()
    decode.warm_up()
    judge.warm_up()
    feed.warm_up()
