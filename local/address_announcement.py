"""CNI plugin that announces the address of a new pod to the node and the other pods.

Linux announces it when the plugin `bridge` enables the interface of the pod, but the bridge does
not forward packets of the pod yet. If an earlier pod had the address, the others would send packets
to that pod's MAC address for up to a minute: the new pod would be ready late, and the first
requests to it would time out.
"""

import json
import os
import sys

CNI_VERSION = "0.4.0"


def main() -> None:
    """Run the command of the container runtime. It follows `bridge`, whose result is unchanged."""
    network = json.load(sys.stdin)
    match os.environ["CNI_COMMAND"]:
        case "ADD":
            result = network["prevResult"]
            print(json.dumps(result), flush=True)
            (mac,) = (one["mac"] for one in result["interfaces"] if one.get("sandbox"))
            namespace = f"--net={os.environ['CNI_NETNS']}"
            # Linux announces the addresses of an interface when its MAC address is set again.
            link = ("ip", "link", "set", "dev", os.environ["CNI_IFNAME"], "address", mac)
            os.execvp("nsenter", ("nsenter", namespace, *link))  # noqa: S606
        case "VERSION":
            print(json.dumps({"cniVersion": CNI_VERSION, "supportedVersions": [CNI_VERSION]}))


if __name__ == "__main__":
    main()
