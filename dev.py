"""Two commands on a fresh machine, with nothing but Python 3.11 or newer: ``python3 dev.py demo`` and ``python3 dev.py test``.

Either makes the project's own environment in ``.venv`` (once: a stamp in it says what it was made from), then runs its command in it.
Torch comes first and alone, because plain pip would bring gigabytes of CUDA packages to machines that cannot use them.

This file uses the standard library only, and older Pythons can parse it, so that they can be told what is missing.
"""

import argparse
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

if sys.version_info < (3, 11):  # noqa: UP036
    FOUND = f"{sys.version_info[0]}.{sys.version_info[1]}"
    sys.exit(f"traindx needs Python 3.11 or newer, and this is {FOUND}: run dev.py with a newer one, as in 'python3.11 dev.py test'")

ROOT = Path(__file__).resolve().parent
OLDEST_TORCH = "torch>=2.5"
MARK_OF_CPU = "+cpu"
FAILED_INSTALLATION = "correct this and run the same command again (removing .venv first starts from nothing)"


class Failure(Exception):
    """The environment cannot be made; the text says why, and what to do."""


def say(line: str) -> None:
    """One progress line, seen at once also where the output goes to a file."""
    print(line, flush=True)


# --- The environment ---------------------------------------------------------------------------------------------------------------


class Environment:
    """The virtual environment of the project in ``root``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / ".venv"
        self.scripts = self.folder / ("Scripts" if os.name == "nt" else "bin")
        self.python = self.scripts / ("python.exe" if os.name == "nt" else "python")
        self.stamp = self.folder / "traindx-stamp.json"

    def prepare(self, extra: str, torch: str) -> None:
        """Make what is missing. The stamp is written last, so an interrupted installation is taken up again by the next call."""
        if self.is_ready(extra, torch):
            return
        started = time.monotonic()
        say("making the environment in .venv: about 3 minutes, once")
        say("  1/3  a virtual environment")
        self.make_venv(share_packages=False)
        say("  2/3  torch")
        version = self.install_torch(torch)
        say("  3/3  traindx and the packages it needs" + (f", with those of its {extra}s" if extra else ""))
        self.install_project(extra, version)
        self.write_stamp(extra, torch)
        say(f"the environment is ready after {time.monotonic() - started:.0f} s")

    def variables(self) -> "dict[str, str]":
        """The environment variables of every command run in it: nothing of another Python or another installation target."""
        unwanted = {"PYTHONHOME", "PYTHONPATH", "PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_REQUIRE_VIRTUALENV"}
        kept = {name: value for name, value in os.environ.items() if name not in unwanted}
        path = os.pathsep.join([str(self.scripts), kept.get("PATH", os.defpath)])
        return {**kept, "PATH": path, "VIRTUAL_ENV": str(self.folder), "PYTHONNOUSERSITE": "1"}

    def run(self, *arguments: str) -> int:
        """Run this environment's Python in the project's root, in plain sight. Returns the exit status."""
        return subprocess.run([str(self.python), *arguments], cwd=self.root, env=self.variables()).returncode

    def ask(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run this environment's Python and keep what it prints."""
        return self._ask([str(self.python), *arguments])

    def _ask(self, command: "list[str]") -> "subprocess.CompletedProcess[str]":
        try:
            return subprocess.run(
                command,
                cwd=self.root,
                env=self.variables(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            )
        except OSError as error:
            return subprocess.CompletedProcess(command, 127, str(error))

    # The stamp: what the environment was made from.

    def fingerprint(self) -> str:
        """What an installation depends on: the requirements, the pins, and the place an editable installation points to."""
        contents = [(self.root / name).read_bytes() for name in ("pyproject.toml", "constraints.txt")]
        return hashlib.sha256(b"\0".join([*contents, os.fsencode(self.root)])).hexdigest()

    def is_ready(self, extra: str, torch: str) -> bool:
        """The stamp fits, an explicit choice of torch is the one it was made with, and the Python in it starts."""
        try:
            stamp = json.loads(self.stamp.read_text(encoding="utf-8"))
            fits = stamp["fingerprint"] == self.fingerprint() and extra in ("", stamp["extra"]) and torch in ("auto", stamp["torch"])
        except (OSError, ValueError, KeyError, TypeError):
            return False
        return fits and self.starts()

    def write_stamp(self, extra: str, torch: str) -> None:
        """Say that the installation came to its end."""
        stamp = {"fingerprint": self.fingerprint(), "extra": extra, "torch": torch}
        unfinished = self.stamp.with_suffix(".unfinished")
        unfinished.write_text(json.dumps(stamp), encoding="utf-8")
        unfinished.replace(self.stamp)

    # The three steps.

    def starts(self) -> bool:
        """Its Python runs, and is new enough."""
        return self.ask("-c", "import sys; sys.exit(sys.version_info < (3, 11))").returncode == 0

    def make_venv(self, share_packages: bool) -> None:
        """An empty environment, unless a usable one is there. A broken one is made anew."""
        if not share_packages and self.starts() and self.ask("-m", "pip", "--version").returncode == 0:
            return
        if self.folder.is_symlink() or (self.folder.exists() and not self.folder.is_dir()):
            raise Failure(f"{self.folder} is not a folder that can be made anew; remove it and run the same command again")
        if self.folder.exists():
            say("       the one that is there does not serve; making it anew")
            shutil.rmtree(self.folder)
        sharing = ["--system-site-packages"] if share_packages else []
        made = self._ask([sys.executable, "-m", "venv", *sharing, str(self.folder)])
        if made.returncode:
            remedy = "on Debian or Ubuntu, install the package python3-venv; then run the same command again"
            raise Failure(f"{made.stdout}\nno virtual environment could be made in {self.folder}: {remedy}")

    def install_torch(self, choice: str) -> str:
        """Torch, first and alone, by ``choice``: auto, cpu, cuda or keep. Returns the version that is there in the end."""
        version = self.torch_version()
        if choice == "keep" and version is None:
            self.make_venv(share_packages=True)
            version = self.torch_version()
            if version is None:
                places = f"neither in .venv nor in {sys.executable}"
                raise Failure(f"--torch keep: no torch that imports, {places}; leave --torch out, or install one there")
        if version is not None and (choice in ("auto", "keep") or (version.endswith(MARK_OF_CPU) == (choice == "cpu"))):
            say(f"       keeping torch {version}")
            return version
        if choice == "auto" and importlib.util.find_spec("torch"):
            say("       (this Python has a torch of its own: --torch keep uses that one)")
        if version is None:
            self.ask("-m", "pip", "uninstall", "--yes", "torch")  # what an interrupted installation may have left
        pinned = pinned_version((self.root / "constraints.txt").read_text(encoding="utf-8"), "torch")
        attempts = torch_attempts(choice, pinned, linux=sys.platform == "linux", driver=has_nvidia_driver())
        for requirement, announcement in attempts:
            say(f"       {announcement}")
            output = self.pip_install(requirement)
            version = self.torch_version()
            if not output and version is not None:
                return version
        raise Failure(f"{output}\ntorch could not be installed; {FAILED_INSTALLATION}")

    def torch_version(self) -> "str | None":
        """The version of the torch that imports here, or None. A build without CUDA ends in ``+cpu``, whatever it calls itself."""
        code = "import torch; v = str(torch.__version__); print(); print(v if torch.version.cuda or '+' in v else v + '+cpu')"
        answer = self.ask("-W", "ignore", "-c", code)
        return answer.stdout.split()[-1] if answer.returncode == 0 else None

    def install_project(self, extra: str, torch_version: str) -> None:
        """The package, editable, with the pinned versions of all that it needs, except that torch stays the one that is there."""
        text = (self.root / "constraints.txt").read_text(encoding="utf-8")
        constraints = self.folder / "constraints.txt"
        constraints.write_text(with_torch(text, torch_version), encoding="utf-8")
        what = f".[{extra}]" if extra else "."
        output = self.pip_install("--constraint", str(constraints), "--editable", what)
        if output:
            raise Failure(f"{output}\ntraindx could not be installed; {FAILED_INSTALLATION}")

    def pip_install(self, *arguments: str) -> str:
        """Run pip from what it is configured with. Returns nothing, or what it said when it failed."""
        answer = self.ask("-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--quiet", *arguments)
        return (answer.stdout or "pip failed in silence") if answer.returncode else ""


def pinned_version(constraints: str, name: str) -> str:
    """The version that the constraints allow a package."""
    match = re.search(rf"^{re.escape(name)}==(\S+)", constraints, re.MULTILINE)
    if not match:
        raise Failure(f"constraints.txt pins no {name}; write {name}==VERSION into it")
    return match.group(1)


def with_torch(constraints: str, version: str) -> str:
    """The same constraints for an environment that has this torch."""
    return re.sub(r"^torch==\S+", f"torch=={version.removesuffix(MARK_OF_CPU)}", constraints, flags=re.MULTILINE)


def has_nvidia_driver() -> bool:
    """A GPU that torch could use is likely here."""
    return Path("/proc/driver/nvidia/version").exists() or shutil.which("nvidia-smi") is not None


def torch_attempts(choice: str, pinned: str, linux: bool, driver: bool) -> "list[tuple[str, str]]":
    """What to ask pip for, one after the other until one is to be had, each with the line that announces it.

    A build for the CPU calls itself ``VERSION+cpu`` on Linux. Asking for it by that name fails at once, and downloads nothing, where
    pip's sources have none; everywhere but on Linux the plain build is the small one.
    """
    plain = (f"torch=={pinned}", f"torch {pinned}, as pip finds it")
    newest = (OLDEST_TORCH, f"no torch {pinned} for this Python and system: taking the newest that is to be had")
    if not linux:
        return [plain, newest]
    if choice == "cuda" or (choice != "cpu" and driver):
        cuda = (f"torch=={pinned},!={pinned}{MARK_OF_CPU}", f"torch {pinned} for CUDA: a download of several GB")
        return [cuda, newest] if choice == "cuda" else [cuda, plain, newest]
    cpu = (f"torch=={pinned}{MARK_OF_CPU}", f"torch {pinned} for the CPU: about 200 MB")
    warning = "pip's sources have no build for the CPU alone: taking the plain one, a download of several GB with its CUDA packages"
    return [cpu, (plain[0], warning), newest]


# --- The commands ------------------------------------------------------------------------------------------------------------------

LINT = (
    ("ruff check", ["-m", "ruff", "check", "."]),
    ("ruff format", ["-m", "ruff", "format", "--check", "."]),
    ("mypy", ["-m", "mypy"]),
)
# Few tests are worth more than two processes; those of one file share what is dear to set up.
PYTEST = ["-m", "pytest", "-n", "2", "--dist", "loadfile"]


def demo(environment: Environment, arguments: "list[str]") -> int:
    """Diagnose and treat a broken network; the last line is the path of the report."""
    return environment.run("-m", "traindx", "demo", *arguments)


def test(environment: Environment, arguments: "list[str]") -> int:
    """All checks and all tests, or the tests that the pytest arguments name."""
    return run_all(environment, [*LINT, ("pytest", [*PYTEST, *arguments])])


def check(environment: Environment, arguments: "list[str]") -> int:
    """The checks that take seconds: style, types and layering."""
    return run_all(environment, [*LINT, ("layering", ["-m", "pytest", "tests/test_layering.py", *arguments])])


def run_all(environment: Environment, steps: "list[tuple[str, list[str]]]") -> int:
    """Run every step, also after one that failed. A success ends with the last step's own last line."""
    failed = []
    for name, arguments in steps:
        say(f"--- {name}")
        if environment.run(*arguments):
            failed.append(name)
    if failed:
        say(f"failed: {', '.join(failed)}")
    return 1 if failed else 0


COMMANDS = {"demo": (demo, ""), "test": (test, "test"), "check": (check, "test")}


def main(arguments: "list[str]") -> int:
    """Read the command line, make the environment, run the command in it."""
    parser = argparse.ArgumentParser(
        prog="dev.py",
        description="Makes the project's environment in .venv (once), then runs a command in it.",
        epilog="demo: diagnose and treat a broken network, write a report; test: all checks and tests; check: style, types, layering. "
        "Further arguments go to the demo or to pytest: python3 dev.py test tests/store -k sqlite",
        allow_abbrev=False,
    )
    parser.add_argument("command", choices=list(COMMANDS))
    parser.add_argument(
        "--torch",
        choices=["auto", "cpu", "cuda", "keep"],
        default="auto",
        help="which build: auto (default) keeps one that is there, else takes the one for the CPU where there is no NVIDIA driver; "
        "keep uses the one of the Python that runs this file",
    )
    options, rest = parser.parse_known_args(arguments)
    command, extra = COMMANDS[options.command]
    environment = Environment(ROOT)
    try:
        environment.prepare(extra, options.torch)
        return command(environment, rest)
    except Failure as failure:
        print(f"dev.py: {str(failure).strip()}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("dev.py: interrupted; the next call takes it up again", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
