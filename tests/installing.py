"""hour24 installed from its wheel into a virtual environment, as in a user's own repository."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYTEST = "#!{python}\nimport sys\nimport pytest\nsys.exit(pytest.main())\n"


def built(folder: Path) -> Path:
    """The wheel of this tree, built without network by the installed build backend."""
    pip("wheel", "--no-build-isolation", "--no-deps", "--wheel-dir", str(folder), str(ROOT))
    (wheel,) = folder.glob("*.whl")
    return wheel


def pip(*arguments: str, python: Path | None = None) -> None:
    """Run this environment's pip, on another one's Python if given."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    command += ["--python", str(python)] if python else []
    subprocess.run([*command, *arguments], check=True, capture_output=True, text=True, timeout=120)


class Environment:
    """A virtual environment that holds hour24's wheel and sees the packages of this one."""

    def __init__(self, folder: Path, wheel: Path) -> None:
        self.folder = folder
        venv.create(folder, with_pip=False, symlinks=True)
        self.bin = folder / "bin"
        self.python = self.bin / "python"
        (self.packages,) = folder.glob("lib/python*/site-packages")
        here = sysconfig.get_paths()["purelib"]
        hidden = folder.with_name(
            f".{folder.name}-beside"
        )  # hidden: pytest collects no tests there
        hidden.mkdir(parents=True)
        for each in Path(here).iterdir():  # all but the clone's own hour24
            if not each.name.startswith(("hour24", "_hour24", "__editable__")):
                (hidden / each.name).symlink_to(each)
        (self.packages / "beside.pth").write_text(f"{hidden}\n", encoding="utf-8")
        script = self.bin / "pytest"
        script.write_text(PYTEST.format(python=self.python), encoding="utf-8")
        script.chmod(0o755)
        self.install(wheel)

    def install(self, wheel: Path) -> None:
        """Install the wheel alone."""
        pip("install", "--no-deps", "--no-index", str(wheel), python=self.python)

    def uninstall(self) -> None:
        """Uninstall hour24."""
        pip("uninstall", "--yes", "hour24", python=self.python)

    def run(
        self, name: str, *arguments: str, cwd: Path, timeout_s: float = 120, **environ: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a program of this environment."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "HOUR24_"))}
        return subprocess.run(
            [str(self.bin / name), *arguments],
            cwd=cwd,
            env={**kept, **environ},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
