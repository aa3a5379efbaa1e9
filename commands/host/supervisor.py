"""Program files of Supervisor."""

import shlex

from commands.host.deployed_track import PROGRAMS, Instance
from commands.host.ini_file import to_ini


def program_file(instance: Instance) -> str:
    """Return the file of an instance: ``runc`` in the foreground, in its network namespace."""
    track, name = instance.track, instance.name
    bundle = f"{track.folder}/instances/{name}"
    script = (
        f"{PROGRAMS}/network up {name} {instance.address} {bundle}.nft"
        # A container that a killed runc has left behind.
        f" && {{ runc delete --force {name} 2>/dev/null || true; }}"
        f" && exec runc run --bundle {bundle} {name}"
    )
    grace = track.service.workload.termination_grace_period_seconds
    program = {
        # Supervisor replaces %(…)s.
        "command": f"/bin/sh -c {shlex.quote(script)}",
        "autostart": "true",
        "autorestart": "true",
        "startsecs": 1,
        "startretries": 1_000_000,
        "stopsignal": "TERM",
        "stopwaitsecs": grace,
        "redirect_stderr": "true",
        "stdout_logfile": f"/var/log/supervisor/{name}.log",
        "stdout_logfile_maxbytes": "10MB",
        "stdout_logfile_backups": 5,
    }
    return to_ini({f"program:{name}": program})
