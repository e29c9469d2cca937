"""The cluster recipes, against the schemas of the tools that read them; Slurm's with shims.

What no test here does: start machines in a cloud, pods, or a Slurm job.
"""

from __future__ import annotations

import copy
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

CLUSTER = Path(__file__).parents[2] / "cluster"
CLOUDS = ("aws", "gcp")


def read(name: str) -> dict[str, Any]:
    plain: dict[str, Any] = yaml.safe_load((CLUSTER / name).read_text(encoding="utf-8"))
    return plain


# --- Ray's cluster launcher ---------------------------------------------------------------------


def launched(config: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration as `ray up` completes it, checked as `ray up` checks it."""
    util = pytest.importorskip(
        "ray.autoscaler._private.util", reason="needs the extra `ray`", exc_type=ImportError
    )
    complete: dict[str, Any] = util.prepare_config(copy.deepcopy(config))
    util.validate_config(complete)
    return complete


@pytest.mark.parametrize("cloud", CLOUDS)
def test_ray_takes_the_cloud_configurations(cloud: str) -> None:
    config = launched(read(f"{cloud}.yaml"))
    assert config["head_node_type"] == "head"
    assert config["available_node_types"]["head"]["resources"] == {"CPU": 0}
    assert "ray start --head" in " ".join(config["head_start_ray_commands"])


@pytest.mark.parametrize("path", [("idle_timeout_minute",), ("available_node_types", "head", "x")])
def test_ray_refuses_a_misspelt_field(path: tuple[str, ...]) -> None:
    config = read("aws.yaml")
    place = config
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = 1
    with pytest.raises(Exception, match="Additional properties are not allowed"):
        launched(config)


@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_cloud_cluster_needs_a_token_and_tells_ray_nothing(cloud: str) -> None:
    config = read(f"{cloud}.yaml")
    options = config["docker"]["run_options"]
    assert {"-e RAY_AUTH_MODE=token", "-e RAY_USAGE_STATS_ENABLED=0"} <= set(options)
    assert config["file_mounts"] == {"~/.ray/auth_token": "~/.ray/auth_token"}


@pytest.mark.parametrize("cloud", CLOUDS)
def test_spot_workers_can_be_told_from_the_others(cloud: str) -> None:
    kinds = read(f"{cloud}.yaml")["available_node_types"]
    markets = {
        name: kind.get("labels", {}).get("ray.io/market-type") for name, kind in kinds.items()
    }
    assert markets == {"head": None, "gpu_on_demand": "on-demand", "gpu_spot": "spot"}
    spot = kinds["gpu_spot"]["node_config"]
    assert (
        "InstanceMarketOptions" in spot
        if cloud == "aws"
        else {"preemptible": True} in spot["scheduling"]
    )


def ec2_faults(node_config: dict[str, Any]) -> str:
    """Return what AWS' own description of RunInstances has against a node, as boto would say it."""
    session = pytest.importorskip("botocore.session", reason="needs boto3, of the extra `dev`")
    from botocore.validate import ParamValidator

    shape = (
        session.get_session().get_service_model("ec2").operation_model("RunInstances").input_shape
    )
    report: str = (
        ParamValidator()
        .validate({"ImageId": "ami-0", "MinCount": 1, "MaxCount": 1, **node_config}, shape)
        .generate_report()
    )
    return report


def test_aws_takes_every_node() -> None:
    kinds = read("aws.yaml")["available_node_types"]
    assert {name: ec2_faults(kind["node_config"]) for name, kind in kinds.items()} == dict.fromkeys(
        kinds, ""
    )
    assert 'Unknown parameter in input: "InstanceTyp"' in ec2_faults({"InstanceTyp": "m7i.large"})


# --- KubeRay ------------------------------------------------------------------------------------


@pytest.fixture
def kuberay() -> Any:
    pytest.importorskip("lightkube.models", reason="needs the extra `dev`")
    from tests import kuberay

    return kuberay


def test_kuberay_knows_every_field_of_the_manifests(kuberay: Any) -> None:
    cluster = kuberay.RayCluster.model_validate(read("kuberay/raycluster.yaml"))
    job = kuberay.RayJob.model_validate(read("kuberay/rayjob.yaml"))
    for spec in (cluster.spec, job.spec.rayClusterSpec):
        assert spec.authOptions.mode == "token"
        assert spec.headGroupSpec.rayStartParams["num-cpus"] == "0"


@pytest.mark.parametrize(
    ("path", "complaint"),
    [
        (("workerGroupSpecs", 0, "maxReplica"), "maxReplica"),
        (("authOption",), "authOption"),
        (("workerGroupSpecs", 0, "replicas"), "int"),
        (("workerGroupSpecs", 0, "template", "spec", "toleration"), "spec.toleration: no such"),
        (
            ("workerGroupSpecs", 0, "template", "spec", "containers", 0, "resources", "limit"),
            r"containers\[0\].resources.limit: no such field",
        ),
        (
            ("headGroupSpec", "template", "spec", "containers", 0, "ports", 0, "containerPort"),
            r"ports\[0\].containerPort: not of type int",
        ),
    ],
)
def test_a_misspelt_field_or_a_wrong_type_is_refused(
    kuberay: Any, path: tuple[Any, ...], complaint: str
) -> None:
    manifest = read("kuberay/raycluster.yaml")
    place: Any = manifest["spec"]
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = "8"
    with pytest.raises(ValueError, match=complaint):
        kuberay.RayCluster.model_validate(manifest)


@pytest.mark.parametrize("name", ["raycluster", "rayjob"])
def test_pods_run_ray_as_it_is_pinned_and_never_as_root(name: str) -> None:
    spec = read(f"kuberay/{name}.yaml")["spec"]
    spec = spec.get("rayClusterSpec", spec)
    constraints = (CLUSTER.parent / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert f"ray=={spec['rayVersion']}" in constraints
    groups = [spec["headGroupSpec"], *spec["workerGroupSpecs"]]
    for group in groups:
        (container,) = group["template"]["spec"]["containers"]
        assert container["securityContext"]["runAsNonRoot"] is True
        assert {"name": "RAY_USAGE_STATS_ENABLED", "value": "0"} in container["env"]


# --- Slurm --------------------------------------------------------------------------------------

SHIMS = {
    "scontrol": 'echo "scontrol $*" >> "$LOG"; [[ $1 != show ]] || printf "node-a\\nnode-b\\n"',
    # the step's command follows srun's own options; exec, so that a signal reaches it
    "srun": 'echo "srun $*" >> "$LOG"; while [[ $1 == --* ]]; do shift; done; exec "$@"',
    "hostname": "echo 10.0.0.1 fe80::1",
    "ray": 'echo "ray $* token=$(stat -c %a "$RAY_AUTH_TOKEN_PATH")" >> "$LOG"\n'
    'case "$1" in\n'
    '  health-check) [[ -e "$LOG.up" ]] || { touch "$LOG.up"; exit 1; } ;;\n'
    '  start) trap \'echo "ray ended" >> "$LOG"; exit 0\' TERM; while :; do sleep 0.05; done ;;\n'
    "esac",
    "paretoflow": 'echo "paretoflow $*" >> "$LOG"\n'
    'trap \'echo "sweep saved" >> "$LOG"; exit 130\' TERM\n'
    'until (($(grep -c "^ray start" "$LOG") == 2)); do sleep 0.05; done\n'
    'if [[ -n "${HOLD:-}" ]]; then while :; do sleep 0.05; done; fi\n'
    'exit "${CODE:-0}"',
}
Sbatch = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def sbatch(tmp_path: Path) -> Sbatch:
    """Return what runs the script as Slurm would, with shims in place of its commands."""
    for name, body in SHIMS.items():
        shim = tmp_path / "bin" / name
        shim.parent.mkdir(exist_ok=True)
        shim.write_text(f"#!/usr/bin/env bash\n{body}\n", encoding="utf-8")
        shim.chmod(0o755)

    def start(*arguments: str, **more: str) -> subprocess.Popen[str]:
        env = os.environ | {
            "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
            "HOME": str(tmp_path),
            "LOG": str(tmp_path / "log"),
            "SLURM_JOB_ID": "4711",
            "SLURM_JOB_NODELIST": "node-[a-b]",
            "SLURM_CPUS_PER_TASK": "16",
            "SLURM_GPUS_ON_NODE": "4",
            "PARETOFLOW_POLL_S": "0.05",
        }
        return subprocess.Popen(
            ["bash", str(CLUSTER / "slurm.sh"), *arguments],
            env=env | more,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    return start


def ended(job: subprocess.Popen[str]) -> tuple[int, str]:
    _, said = job.communicate(timeout=30)
    return job.returncode, said


def log(tmp_path: Path) -> list[str]:
    return (tmp_path / "log").read_text(encoding="utf-8").splitlines()


def test_slurms_script_is_clean() -> None:
    tool = shutil.which("shellcheck", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if tool is None:
        pytest.skip("shellcheck is not installed; it comes with the extra `dev`")
    script = str(CLUSTER / "slurm.sh")
    done = subprocess.run([tool, script], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_slurm_starts_head_and_workers_then_the_sweep_and_leaves_nothing(
    sbatch: Sbatch, tmp_path: Path
) -> None:
    job = sbatch("jobs/mine.yaml", "--storage", "/shared", CODE="3")
    assert ended(job)[0] == 3
    told = log(tmp_path)
    head = "ray start --head --block --node-ip-address=10.0.0.1 --port=24711"
    worker = "ray start --block --address=10.0.0.1:24711 --num-cpus=16 --num-gpus=4 token=600"
    assert any(line.startswith(head) and "--num-gpus=4" in line for line in told)
    assert worker in told
    assert "paretoflow run jobs/mine.yaml --storage /shared --address 10.0.0.1:24711" in told
    assert told.count("ray ended") == 2
    assert not any("requeue" in line for line in told)
    assert list((tmp_path / ".paretoflow").iterdir()) == []


@pytest.mark.parametrize(("requeue", "again"), [("1", True), ("0", False)])
def test_slurms_notice_lets_the_sweep_save_and_puts_the_job_back(
    sbatch: Sbatch, tmp_path: Path, requeue: str, again: bool
) -> None:
    job = sbatch("jobs/mine.yaml", HOLD="1", PARETOFLOW_REQUEUE=requeue)
    until = time.monotonic() + 30
    while not (tmp_path / "log").exists() or not any("paretoflow run" in x for x in log(tmp_path)):
        assert time.monotonic() < until
        time.sleep(0.05)
    time.sleep(0.3)  # the shim has yet to set its trap
    job.send_signal(signal.SIGTERM)  # as `--signal=B:TERM@180`: to the batch script alone
    assert ended(job)[0] == 130
    told = log(tmp_path)
    assert "sweep saved" in told
    assert ("scontrol requeue 4711" in told) is again
    assert told.count("ray ended") == 2


def test_slurms_script_says_how_it_is_used(sbatch: Sbatch) -> None:
    code, said = ended(sbatch())
    assert code == 2
    assert "usage: sbatch" in said
