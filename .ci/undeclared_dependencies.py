"""Fail when a member of the workspace imports what its own pyproject.toml does not declare, or declares what it never
imports: installed alone, as its container is, it would break, or carry what nobody needs.

`python .ci/undeclared_dependencies.py`; deptry does the looking.
"""

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def members() -> list[Path]:
    """The folders of the workspace, as the root's pyproject.toml names them."""
    workspace = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["uv"]["workspace"]
    return sorted(folder for pattern in workspace["members"] for folder in ROOT.glob(pattern) if folder.is_dir())


def complaints(member: Path) -> str:
    """What deptry has against a member; empty when all is well."""
    deptry = [sys.executable, "-m", "deptry", "--no-ansi", "."]
    found = subprocess.run(deptry, cwd=member, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    return "" if found.returncode == 0 else found.stdout + found.stderr


def main() -> int:
    """Look at every member. The exit status."""
    broken = {member: text for member in members() if (text := complaints(member))}
    for member, text in broken.items():
        sys.stderr.write(f"{member.relative_to(ROOT)}: declare in its pyproject.toml what it imports, and only that\n")
        sys.stderr.writelines(f"  {line}\n" for line in text.splitlines() if "DEP0" in line or "rror" in line)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
