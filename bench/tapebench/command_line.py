"""What the entry points of the bench share: sub-commands by name, and their errors as one line."""

import argparse
import sys
from collections.abc import Callable
from types import ModuleType

from tapebench.places import BenchError


def run_commands(description: str | None, commands: dict[str, ModuleType], prepare: Callable[[argparse.ArgumentParser], None] | None = None,
                 before: Callable[[argparse.Namespace], None] | None = None) -> int:
    """Runs the command that the command line names; its module has add_options() and run(), and its summary behind a colon.

    `prepare` adds options of the program itself, `before` acts on them.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    if prepare:
        prepare(parser)
    subparsers = parser.add_subparsers(dest="command")
    for name, module in commands.items():
        summary = (module.__doc__ or "").split(": ", 1)[1].strip()
        module.add_options(subparsers.add_parser(name, help=summary.splitlines()[0], description=summary))
    options = parser.parse_args()
    if before:
        before(options)
    if options.command is None:
        parser.error("name a bench: " + ", ".join(commands))
    try:
        return commands[options.command].run(options)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("bench: interrupted", file=sys.stderr)
        return 130
