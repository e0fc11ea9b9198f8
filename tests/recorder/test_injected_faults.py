"""A few faults of the disk at chosen calls; tests/long/inject_faults.py tries them all."""

import pytest

from fault_injection import Fault, check_fault, is_possible

pytestmark = pytest.mark.skipif(not is_possible(), reason="FAULTS OF THE DISK ARE NOT TESTED: strace is not installed")


@pytest.mark.parametrize("fault", [
    Fault("fdatasync", "EIO", 12), Fault("pwrite64", "EIO", 20), Fault("pwrite64", "KILL", 30), Fault("write", "ENOSPC", 30),
    Fault("rename", "EIO", 4), Fault("rename", "KILL", 9), Fault("fallocate", "ENOSPC", 3)], ids=str)
def test_a_fault_ends_in_order_and_the_next_start_has_everything(fault, tmp_path):
    assert check_fault(fault, tmp_path) is not None, "the run had fewer such calls"
