"""The completion that typer installs for zsh, mended: it did nothing at the first Tab of a shell.

zsh runs the installed file at the first Tab as the body of a function that is to complete. typer's
script only defines another function there, which completes from the second Tab on.
"""

import contextlib

_AT_ONCE = """
if [[ "${funcstack[1]-}" == _%(prog_name)s ]]; then
  %(complete_func)s "$@"
fi
"""


def mend() -> None:
    """Let zsh's script complete at once if it is run by a Tab, and not by eval or source."""
    # typer offers no way to change its scripts. Without this, only the first Tab is in vain.
    with contextlib.suppress(ImportError, AttributeError, KeyError):
        from typer import _completion_shared

        scripts = _completion_shared._completion_scripts
        if _AT_ONCE not in scripts["zsh"]:
            scripts["zsh"] += _AT_ONCE
