"""The gateway's /metrics with a password of the metrics: for those who send it, and nobody else."""

from pathlib import Path

import pytest

from engine.config.serve import ServeSettings
from tests.support.serve.served import serving
from tests.support.web.gateway import caller, gateway, reason

PASSWORD = "p" * 40


@pytest.mark.parametrize("public", [False, True])
def test_metrics_are_shown_to_those_who_send_the_password(tmp_path: Path, public: bool) -> None:
    file = tmp_path / "password"
    file.write_text(PASSWORD, encoding="utf-8")
    settings = ServeSettings(metrics_password_file=str(file), metrics_public=public)
    with serving(tmp_path) as served, gateway(served.address, serve=settings) as address:
        with caller(address) as http:
            refused = http.get("/metrics")
            assert (refused.status_code, reason(refused)) == (401, "METRICS_PASSWORD_WANTED")
            assert refused.headers["WWW-Authenticate"].startswith("Basic ")
            assert "patrol_web_" not in refused.text
            assert http.get("/healthz").status_code == 200
            assert "patrol_web_calls" in http.get("/metrics", auth=("prometheus", PASSWORD)).text
        with caller(address, PASSWORD) as http:
            assert "patrol_web_calls" in http.get("/metrics").text
        with caller(address, "q" * 40) as http:
            assert http.get("/metrics").status_code == 401
