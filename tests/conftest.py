"""Which tests run beside each other, and which follow each other on one worker."""

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

TOGETHER = ("tests/cluster/observability/", "tests/manifests/test_policy.py")
"""What shares something that is made once: a stack with its servers, an environment."""
BY_FILE = "tests/cluster/"
"""Where the tests of a file share a stack."""


class BesideEachOther(LoadScopeScheduling):
    """Tests of one scope follow each other on one worker; most are a scope of their own."""

    def _split_scope(self, nodeid: str) -> str:
        for start in TOGETHER:
            if nodeid.startswith(start):
                return start
        return nodeid.partition("::")[0] if nodeid.startswith(BY_FILE) else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> BesideEachOther:
    """The scheduler of every run on more than one worker."""
    return BesideEachOther(config, log)
