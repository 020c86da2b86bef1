"""Comments that silence rules: ``# noqa`` for all on its line, ``# noqa: TDX101`` or ``# noqa: missing-zero-grad`` for some.

``# traindx: skip-file`` on a line of its own silences a file.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

NOQA = re.compile(r"#\s*noqa(?!\w)(?::\s*(?P<codes>[\w-]+(?:[\s,]+[\w-]+)*))?", re.IGNORECASE)
SKIP_FILE = re.compile(r"^\s*#\s*traindx:\s*skip-file\s*$")


def is_silenced(line: str, code: str, name: str) -> bool:
    """Whether the comment on a line silences this rule."""
    found = NOQA.search(line)
    if found is None:
        return False
    codes = re.split(r"[\s,]+", found["codes"].lower()) if found["codes"] else []
    return not codes or code.lower() in codes or name in codes


def skips_file(lines: Sequence[str]) -> bool:
    """Whether a file asks not to be checked."""
    return any(SKIP_FILE.match(line) for line in lines)
