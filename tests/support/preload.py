"""C files of this folder as libraries that are loaded in front of a program's own."""

import subprocess
from pathlib import Path


def build(name: str, folder: Path) -> Path:
    """The library of tests/support/NAME.c, compiled into `folder`."""
    library = folder / f"{name}.so"
    subprocess.run(["cc", "-std=gnu17", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC",
                    Path(__file__).with_name(f"{name}.c"), "-o", library], check=True)
    return library
