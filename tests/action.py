"""action.yml, written from the steps of the workflow.

``make action`` writes it; tests/test_action.py compares it with what is there, so that a repository
that uses the action and one that has the workflow run the same steps.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PATH = ROOT / "action.yml"
WORKFLOW = ROOT / ".github" / "workflows" / "watch.yml"
INSTALL = "          .venv/bin/pip install --quiet --disable-pip-version-check "
HEAD = """\
# One checkpoint of a watch in another repository, which `hour24 init` prepared: docs/github.md.
# Written by `make action` from the steps of .github/workflows/watch.yml; do not edit.
name: hour24 checkpoint
description: Runs the checkpoint of a 24-hour production watch that is due, and keeps its records
inputs:
  hour:
    description: Checkpoint, 0 to 24; 0 opens a watch; empty, the one that is due
    default: ""
  secrets:
    description: A JSON object with the variables that production.toml names
    default: "{}"
  target:
    description: The production.toml to watch
    default: production.toml
  t0:
    description: When the 24 hours begin, such as 2026-12-01T06:00Z; empty, now
    default: ""
  watch:
    description: Name of the watch; empty, the open one
    default: ""
  follows:
    description: Hour 0 after a fix, the watch that this one follows
    default: ""
  records:
    description: The branch of the records
    default: hour24-records
  lines:
    description: The branch of the probers' lines
    default: hour24-lines
runs:
  using: composite
  steps:
"""
RUN = '          exec .venv/bin/python "${arguments[@]}"\n'
RUN_WITH = """\
          exec .venv/bin/python -c '
          import json, os, re, sys
          try:
              given = json.loads(os.environ.pop("SECRETS"))
              given = {name: value for name, value in given.items() if value is not None}
          except (ValueError, AttributeError):
              given = {"": ""}
          named = all(re.fullmatch("[A-Z][A-Z0-9_]*", name) for name in given)
          if not named or not all(isinstance(value, str) for value in given.values()):
              print("secrets: expected a JSON object of names and texts", file=sys.stderr)
              sys.exit(4)
          os.environ.update(given)
          os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
          ' "${arguments[@]}"
"""


def text() -> str:
    """Return action.yml as the workflow makes it."""
    _, _, steps = WORKFLOW.read_text("utf-8").partition("    steps:\n")
    # what starts probers is for the workflow alone
    steps = steps.partition("\n      - name: which watch to probe\n")[0]
    for old, new in (
        (f"{INSTALL}--require-hashes -r requirements.lock\n", _from_the_action("--require-hashes")),
        (f"{INSTALL}--no-deps --no-build-isolation -e .\n", _from_the_action("")),
        (RUN, RUN_WITH),
        ("        run: |\n", "        shell: bash\n        run: |\n"),
    ):
        assert old in steps, old
        steps = steps.replace(old, new)
    steps = re.sub(r"          # Only variables that .*?\n(?= +[A-Z])", "", steps, flags=re.DOTALL)
    listed = re.compile(r"(?: +[A-Z0-9_]+: \$\{\{ secrets\.\w+ \}\}\n)+")
    steps = listed.sub("          SECRETS: ${{ inputs.secrets }}\n", steps)
    # an action has no secrets but what it is given
    given = "inputs.secrets && fromJSON(inputs.secrets).HOUR24_ALERT_URLS || ''"
    steps = steps.replace("secrets.HOUR24_ALERT_URLS }}", given + " }}")
    fetch = "fetch the commit and the records"
    for name, given in ((fetch, "lines"), (fetch, "records"), ("keep the records", "records")):
        start = steps.index(f"- name: {name}\n")
        at = steps.index("        env:\n", start) + len("        env:\n")
        line = f"          {given.upper()}: ${{{{ inputs.{given} }}}}\n"
        steps = steps[:at] + line + steps[at:]
    return HEAD + re.sub(r"^  ", "", steps, flags=re.MULTILINE)


def _from_the_action(hashes: str) -> str:
    where = '"$GITHUB_ACTION_PATH'
    if hashes:
        return f'{INSTALL}{hashes} -r {where}/requirements.lock"\n'
    return f'{INSTALL}--no-deps --no-build-isolation {where}"\n'


if __name__ == "__main__":
    PATH.write_text(text(), encoding="utf-8")
