"""Runs a province on three machines while machines, engines and the front are lost, and checks that nothing else is.

    python -m tests.cluster_chaos [--minutes 10] [--seed 1] [--json]

Three nodes of a real Ray cluster, each in a network namespace of its own where this machine allows that, share a
PostgreSQL database with a synchronous standby; a front serves 600 cameras, which stream over real RTSP
(../shared/tools/rtsp_replay.py). Through the front a caller reads and changes cameras, a clerk works in the ledger, a
gateway pushes keyframes, and a watcher follows all verdicts. Every 45 s something happens, by seed (deeds.py): a
machine loses its power, is drained, is cut off from the database or from the others, joins and leaves; an engine is
killed, or stands still for three leases; the front, the head of Ray, the primary of the database is killed. `faults`
names each with the seconds until the first camera that it concerned, and until all of them, were visited again. Exit 1
if `broken` names anything:

- a verdict is in the log twice, or is none that the watcher was told; the watcher was told one twice, or out of order;
- a change or a command of the ledger that was acknowledged is not there, or a command is there twice;
- a keyframe of the gateway was judged twice, or its cameras are not judged any more;
- an engine that was frozen wrote anything once another had its shard;
- more visits of a recorder at once than its cap, counted by the RTSP server;
- a camera of a lost machine was visited again later than the bounds in `checks`.
"""
