"""Runs a province on three machines while machines, engines and the front are lost, and checks that nothing else is.

    python -m tests.cluster_chaos [--minutes 10] [--seed 1] [--json]

Three nodes of a real Ray cluster on this machine share a PostgreSQL database; a front serves 600 cameras, which stream
over real RTSP (../shared/tools/rtsp_replay.py). A caller reads and changes cameras, and a watcher follows all verdicts,
through the front. Every 45 s something happens, by seed: a machine loses its power, an engine is killed, one is frozen
for three leases, a machine is drained, the front is killed. `faults` names each with the seconds until the first camera
that it concerned, and until all of them, were visited again. Exit 1 if `broken` names anything:

- a verdict is in the log twice, or is none that the watcher was told; the watcher was told one twice, or out of order;
- a change that was acknowledged is not there;
- an engine that was frozen wrote anything once another had its shard;
- more visits of a recorder at once than its cap, counted by the RTSP server;
- a camera of a lost machine was visited again later than the bounds in `checks`.
"""
