"""The examples of deployment fit the command line and the tree."""

import argparse
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from blocks import ROOT

from pyserini_qpeft.cli import serve
from pyserini_qpeft.service.config import LimitsConfig

DEPLOY = ROOT / "deploy"


def parsed(arguments: list[str]) -> argparse.Namespace:
    """The options of `qpeft serve`; an unknown one fails."""
    parser = argparse.ArgumentParser(exit_on_error=False, allow_abbrev=False)
    serve.add_arguments(parser)
    return parser.parse_args(arguments)


def test_the_image_starts_the_server_for_other_machines_and_asks_for_its_health() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    entry, command = (
        yaml.safe_load(re.search(rf"^{name} (\[.*\])$", text, re.MULTILINE)[1]) for name in ("ENTRYPOINT", "CMD")
    )
    assert entry[:2] == ["qpeft", "serve"]
    assert parsed(entry[2:] + command).host == "0.0.0.0"
    assert "/readyz" in text
    assert re.search("^USER (?!root)", text, re.MULTILINE)


def test_the_image_gets_the_files_that_it_copies() -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().split() if line.startswith("!")}
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    for name in " ".join(copied).split():
        assert (ROOT / name).exists()
        assert name in allowed


def test_compose_starts_the_server_with_a_token_and_without_rights() -> None:
    service = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["qpeft"]
    options = parsed(service["command"])
    assert str(options.token_file) == f"/run/secrets/{service['secrets'][0]}"
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    with_gpu = yaml.safe_load((DEPLOY / "compose.gpu.yaml").read_text())["services"]
    assert set(with_gpu) == {"qpeft"}


def test_the_unit_starts_the_server(tmp_path: Path) -> None:
    unit = (DEPLOY / "qpeft.service").read_text()
    program, command, *arguments = shlex.split(re.search(r"^ExecStart=(.*)$", unit, re.MULTILINE)[1])
    assert (program, command) == ("/opt/qpeft/bin/qpeft", "serve")
    assert parsed(arguments).token_file
    if analyze := shutil.which("systemd-analyze"):
        file = tmp_path / "qpeft.service"
        file.write_text(unit.replace(program, "/bin/true"))
        verified = subprocess.run([analyze, "verify", "--man=no", str(file)], capture_output=True, text=True)
        complaints = [line for line in verified.stderr.splitlines() if "qpeft.service" in line]
        assert complaints == []


@pytest.mark.parametrize("seconds", [re.compile(r"stop_grace_period: (\d+)s"), re.compile(r"TimeoutStopSec=(\d+)")])
def test_a_server_has_time_to_answer_what_it_accepted(seconds: re.Pattern[str]) -> None:
    given = [int(found[1]) for file in DEPLOY.iterdir() if (found := seconds.search(file.read_text()))]
    assert given
    limits = LimitsConfig()
    assert min(given) > limits.request_seconds + limits.body_seconds
