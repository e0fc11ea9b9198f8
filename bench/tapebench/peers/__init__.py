"""The peers, one file each. Every one is a program of its own:

    python -m tapebench.peers.NAME INPUT OUT [--job trades|lineitem] [--threads N] [--memory-bytes N] [--temp-dir DIR]

It reads the Parquet file INPUT, writes the files of the job below the empty folder OUT and prints one JSON line.
Each is written as somebody who knows the peer would write it; none takes a detour that the others do not take.
"""
