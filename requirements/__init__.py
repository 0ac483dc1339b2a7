"""Lock files, and the environments made from them.

`pin` turns the extras and dependency groups of pyproject.toml into lock files, `*.txt`, which list every
package by version and hash; `install` makes a virtual environment from one. Standard library only: both run
before anything is installed.
"""

import core  # noqa: F401  an older Python stops here
