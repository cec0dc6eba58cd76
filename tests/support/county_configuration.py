"""The configuration of the county test: of an engine alone, and of the machines of a cluster."""

from pathlib import Path

_CONFIG = """
[feed]
deadline_s = 3
connect_timeout_s = 1
demuxers = 0
[intake]
listen = ""
[worker]
count = 1
spare = false
[scheduler]
key_period_s = 2
ordinary_period_s = 2
suspicious_period_s = 2
confirm_spacing_s = 1
backoff_stream_first_s = 2
backoff_connect_first_s = 2
backoff_lasting_first_s = 2
backoff_max_s = 3
outage_cameras_min = 1000
[record]
{record}
[serve]
grpc_listen = "{address}"
metrics_listen = ""
[web]
enabled = false
[ledger]
recheck_spacing_s = 1
impaired_hours = {{ school = 0.0005, county = 0.0005, city = 0.0005, province = 0.0005 }}
[notices]
wait_first_s = 0.2
[[notices.endpoints]]
name = "changan"
url = "{webhook}"
secret_file = "{folder}/secret"
region = "130102"
[log]
level = "error"
"""
_RECORD = """url = "sqlite:///{folder}/patrol.db"
evidence_dir = "{folder}/ev"
quarantine_dir = "{folder}/q"
"""
_SHARED_RECORD = """url = "{url}"
evidence_dir = "{{machine}}/ev"
quarantine_dir = "{{machine}}/q"
archive_url = "file://{folder}/ev"
key_file = "{folder}/key"
"""
"""Of machines that share a database: the archive has the layout of the folder of an engine alone."""


def alone(folder: Path, address: str, webhook: str) -> str:
    """Return that of an engine alone, which answers at an address and has all its files in a folder."""
    return _CONFIG.format(record=_RECORD.format(folder=folder), folder=folder, address=address, webhook=webhook)


def on_a_machine(folder: Path, address: str, webhook: str, url: str) -> str:
    """Return that of each machine; `{machine}` stands for the folder of its own. `folder`: what they share."""
    record = _SHARED_RECORD.format(url=url, folder=folder)
    return _CONFIG.format(record=record, folder=folder, address=address, webhook=webhook)
