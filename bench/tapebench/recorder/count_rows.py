"""Counts the rows of a recording's published files; runs as a child.

    python -m tapebench.recorder.count_rows FOLDER        prints the number
"""

import sys
from pathlib import Path

import pyarrow.parquet as pq


def main() -> None:
    print(sum(pq.read_metadata(path).num_rows for path in Path(sys.argv[1]).glob("**/[0-2][0-9].parquet") if not path.parent.name.startswith("_")))


if __name__ == "__main__":
    main()
