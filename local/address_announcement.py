"""CNI plugin that announces the address of a new pod to the node and the other pods.

Linux announces it when the plugin `bridge` enables the interface of the pod, but the bridge does
not forward packets of the pod yet. If an earlier pod had the address, the others would send packets
to that pod's MAC address for up to a minute: the new pod would be ready late, and the first
requests to it would time out.
"""

import json
import os
import subprocess
import sys
from typing import Any

CNI_VERSION = "0.4.0"


def announce(namespace: str, interface: str) -> None:
    """Announce the addresses of an interface in a network namespace."""
    ip = ("nsenter", f"--net={namespace}", "ip")
    shown = subprocess.run(
        [*ip, "-json", "link", "show", "dev", interface], check=True, capture_output=True
    )
    (link,) = json.loads(shown.stdout)
    # Linux announces them when the MAC address is set, also to the same one.
    subprocess.run([*ip, "link", "set", "dev", interface, "address", link["address"]], check=True)


def main() -> None:
    """Run the command of the container runtime; it follows `bridge` in the list of plugins."""
    network: dict[str, Any] = json.load(sys.stdin)
    match os.environ["CNI_COMMAND"]:
        case "ADD":
            announce(os.environ["CNI_NETNS"], os.environ["CNI_IFNAME"])
            json.dump(network["prevResult"], sys.stdout)
        case "VERSION":
            json.dump({"cniVersion": CNI_VERSION, "supportedVersions": [CNI_VERSION]}, sys.stdout)


if __name__ == "__main__":
    main()
