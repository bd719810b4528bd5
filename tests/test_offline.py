"""Promise 8: with only the loopback interface up all works, and no call of the process names another peer."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, SEEDS

JOURNEY = """
set -e
{python} -m qa index --docs {docs} --store {store}
{python} -m ui --docs {docs} --store {store} --port {port} & page=$!
trap 'kill $page' EXIT
{python} - <<'PY'
import json, subprocess, time, urllib.request
page = "http://127.0.0.1:{port}/"
for attempt in range(120):
    try:
        assert b"gradio" in urllib.request.urlopen(page).read()
        break
    except OSError:
        time.sleep(0.5)
else:
    raise SystemExit("the page did not come up")
up = time.monotonic()
for question, code in (("How many people came home in 2024?", 0), ("What is the capital of France?", 3)):
    words = ["{python}", "-m", "qa", "ask", question, "--docs", "{docs}", "--store", "{store}"]
    assert subprocess.run(words, stdout=subprocess.DEVNULL).returncode == code
time.sleep(max(0, up + 12 - time.monotonic()))  # what reports its use gathers for some seconds first
call = page + "gradio_api/call/ask"
body = json.dumps(dict(data=["How many people came home in 2024?", None, None])).encode()
request = urllib.request.Request(call, body, dict([("Content-Type", "application/json")]))
event = json.load(urllib.request.urlopen(request))["event_id"]
answer = urllib.request.urlopen(call + "/" + event).read().decode()
assert "1,358" in answer, answer
PY
"""
# What would have Chroma send all vectors, or what it does with them, to another machine.
REROUTED = """CHROMA_API_IMPL=chromadb.api.fastapi.FastAPI
CHROMA_SERVER_HOST=10.0.0.1
CHROMA_OTEL_COLLECTION_ENDPOINT=http://10.0.0.1:4317
CHROMA_OTEL_GRANULARITY=all
"""
CALL = re.compile(r"\b(?:connect|sendto|sendmsg|sendmmsg)\(.*?sa_family=(AF_\w+)(.*)")


def foreign_peers(trace: str) -> list[str]:
    """The lines of an strace log in which a call names a peer that is not this machine."""
    found = []
    for line in trace.splitlines():
        call = CALL.search(line)
        if not call or call[1] in ("AF_UNIX", "AF_NETLINK", "AF_UNSPEC"):
            continue
        if not re.search(r'inet_addr\("127\.|inet_pton\(AF_INET6, "(?:::1|::ffff:127\.)', call[2]):
            found.append(line)
    return found


def needs(*tools: str) -> None:
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"apt-get install {' '.join(missing)} to run this test")


def test_index_ask_and_page_with_only_the_loopback_up(tmp_path: Path) -> None:
    needs("strace", "unshare", "ip")
    journey = JOURNEY.format(python=sys.executable, docs=SEEDS, store=tmp_path / "store", port=47861)
    (tmp_path / "journey.sh").write_text(journey)
    log = tmp_path / "trace"
    inside = f"ip link set lo up && exec strace -f -qq -e trace=%network -o {log} sh {tmp_path}/journey.sh"
    # Some libraries are quiet where they see a CI or a test; here they must be quiet for everyone.
    environment = {name: value for name, value in os.environ.items() if name not in ("CI", "ORT_DISABLE_TELEMETRY")}
    environment |= {"PYTHONPATH": str(ROOT), **dict(line.split("=", 1) for line in REROUTED.splitlines())}
    (tmp_path / ".env").write_bytes(REROUTED.encode() + b"MIGRATIONS=no such mode\n\xff\n")
    done = subprocess.run(
        ["unshare", "-rn", "sh", "-c", inside],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    trace = log.read_text(errors="replace")
    assert "127.0.0.1" in trace, "the trace saw nothing"
    assert not foreign_peers(trace)


@pytest.mark.parametrize(
    "line",
    [
        '7 connect(5, {sa_family=AF_INET, sin_port=htons(443), sin_addr=inet_addr("93.184.216.34")}, 16) = -1',
        '7 sendto(5, "x", 1, 0, {sa_family=AF_INET, sin_port=htons(53), sin_addr=inet_addr("10.0.0.2")}, 16) = 1',
        '7 connect(5, {sa_family=AF_INET6, sin6_port=htons(443), inet_pton(AF_INET6, "2606::1", &sin6_addr)}, 28) = 0',
    ],
)
def test_planted_peers_are_found(line: str) -> None:
    assert foreign_peers(line) == [line]


@pytest.mark.parametrize(
    "line",
    [
        '7 connect(5, {sa_family=AF_INET, sin_port=htons(7860), sin_addr=inet_addr("127.0.0.1")}, 16) = 0',
        '7 connect(5, {sa_family=AF_INET6, sin6_port=htons(1), inet_pton(AF_INET6, "::1", &sin6_addr)}, 28) = 0',
        '7 connect(5, {sa_family=AF_UNIX, sun_path="/run/nscd/socket"}, 110) = -1 ENOENT',
        '7 sendto(5, "x", 20, 0, {sa_family=AF_NETLINK, nl_pid=0, nl_groups=00000000}, 12) = 20',
    ],
)
def test_this_machine_is_no_foreign_peer(line: str) -> None:
    assert not foreign_peers(line)
