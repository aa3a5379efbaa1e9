"""The processes of the node, their flags and their configuration files."""

import json
from pathlib import Path
from typing import Any

import yaml

from local import layout
from local.daemon import Service
from local.layout import Layout

_TLS_FLAGS = ("--tls-min-version=VersionTLS12", "--profiling=false")


def node(at: Layout) -> list[Service]:
    """A Kubernetes node, in the order in which its parts need each other."""
    return [
        containerd(at),
        etcd(at),
        api_server(at),
        controller_manager(at),
        scheduler(at),
        kubelet(at),
        kube_proxy(at),
    ]


def registry(at: Layout) -> Service:
    """Debian's docker-registry, on loopback only."""
    config = at.config / "registry.yaml"
    content = {
        "version": 0.1,
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {
            "filesystem": {"rootdirectory": str(at.registry)},
            "delete": {"enabled": True},
        },
        "http": {"addr": "127.0.0.1:5000", "headers": {"X-Content-Type-Options": ["nosniff"]}},
    }
    return Service(
        "registry",
        ["docker-registry", "serve", str(config)],
        "http://127.0.0.1:5000/v2/",
        {config: yaml.safe_dump(content)},
        # Without it, every start warns that a random secret was made.
        {"REGISTRY_HTTP_SECRET": "one-node-only", "OTEL_TRACES_EXPORTER": "none"},
    )


def containerd(at: Layout) -> Service:
    """Debian's containerd with its CRI plugin; its own root, state and CNI folders."""
    config = at.config / "containerd.toml"
    network = at.cni / "net.d" / "10-slipway.conflist"
    mirrors = at.config / "registries"
    content = f"""
version = 2
root = "{at.containerd}/root"
state = "{at.run}/containerd"
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs",
]

[grpc]
  address = "{at.containerd_socket}"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{layout.SANDBOX_IMAGE}"
  # A machine without CAP_SYS_RESOURCE may not lower the score; runc would fail on it.
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  stream_server_address = "127.0.0.1"
  max_concurrent_downloads = 8
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{network.parent}"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "{mirrors}"
"""
    # Images are looked for in the local registry before anything is asked of the outside.
    hosts = f'[host."http://{layout.REGISTRY}"]\n  capabilities = ["pull", "resolve"]\n'
    return Service(
        "containerd",
        ["containerd", "--config", str(config), "--log-level", "warn"],
        str(at.containerd_socket),
        {
            config: content,
            network: json.dumps(_pod_network(at), indent=2),
            mirrors / "_default" / "hosts.toml": hosts,
        },
    )


def _pod_network(at: Layout) -> dict[str, Any]:
    bridge = {
        "type": "bridge",
        "bridge": layout.BRIDGE,
        "isGateway": True,
        "ipMasq": True,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "dataDir": str(at.run / "addresses"),
            "ranges": [[{"subnet": str(layout.POD_NETWORK)}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    port_map = {"type": "portmap", "capabilities": {"portMappings": True}, "snat": True}
    return {"cniVersion": "0.4.0", "name": "slipway", "plugins": [bridge, port_map]}


def buildkitd(at: Layout) -> Service:
    """BuildKit with its own worker; images come from and go to the local registry by plain HTTP."""
    config = at.config / "buildkitd.toml"
    content = f"""
root = "{at.buildkit}"
insecure-entitlements = ["network.host"]

[grpc]
  address = ["unix://{at.buildkit_socket}"]

[worker.containerd]
  enabled = false

[worker.oci]
  enabled = true
  binary = "runc"
  snapshotter = "overlayfs"
  # Builds download modules; the bridge belongs to the pods.
  networkMode = "host"
  gc = true
  maxUsedSpace = "10GB"

[registry."docker.io"]
  mirrors = ["{layout.REGISTRY}"]

[registry."{layout.REGISTRY}"]
  http = true
"""
    return Service(
        "buildkitd",
        [str(at.bin / "buildkitd"), "--config", str(config)],
        str(at.buildkit_socket),
        {config: content},
    )


def etcd(at: Layout) -> Service:
    """One member on a Unix socket in a private folder, so it needs no certificates."""
    peer = "http://localhost:2380"
    return Service(
        "etcd",
        [
            str(at.bin / "etcd"),
            f"--name={layout.NODE_NAME}",
            f"--data-dir={at.etcd}",
            f"--listen-client-urls=unix://{at.etcd_socket}",
            f"--listen-peer-urls=unix://{at.run}/etcd-peer.sock",
            # Nobody dials these two; etcd insists on a host and a port.
            "--advertise-client-urls=http://localhost:2379",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster={layout.NODE_NAME}={peer}",
            # What is lost with the machine's power here is a development cluster's last second,
            # and `pulumi up` puts it back; each write would otherwise wait for the disk.
            "--unsafe-no-fsync",
            "--auto-compaction-retention=1h",
            "--quota-backend-bytes=2147483648",
            "--log-level=warn",
        ],
        str(at.etcd_socket),
    )


def api_server(at: Layout) -> Service:
    """The API server, on the bridge's address: pods and this machine reach it, nobody else."""
    pki = at.pki
    return Service(
        "kube-apiserver",
        [
            str(at.bin / "kube-apiserver"),
            f"--bind-address={layout.NODE_IP}",
            f"--advertise-address={layout.NODE_IP}",
            "--secure-port=6443",
            f"--etcd-servers=unix://{at.etcd_socket}",
            f"--service-cluster-ip-range={layout.SERVICE_NETWORK}",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--allow-privileged=true",
            f"--client-ca-file={pki}/ca.crt",
            f"--tls-cert-file={pki}/apiserver.crt",
            f"--tls-private-key-file={pki}/apiserver.key",
            f"--kubelet-certificate-authority={pki}/ca.crt",
            f"--kubelet-client-certificate={pki}/apiserver-kubelet-client.crt",
            f"--kubelet-client-key={pki}/apiserver-kubelet-client.key",
            "--kubelet-preferred-address-types=InternalIP",
            f"--service-account-issuer=https://kubernetes.default.svc.{layout.CLUSTER_DOMAIN}",
            f"--service-account-key-file={pki}/service-accounts.pub",
            f"--service-account-signing-key-file={pki}/service-accounts.key",
            f"--requestheader-client-ca-file={pki}/front-proxy-ca.crt",
            "--requestheader-allowed-names=front-proxy-client",
            "--requestheader-username-headers=X-Remote-User",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            f"--proxy-client-cert-file={pki}/front-proxy-client.crt",
            f"--proxy-client-key-file={pki}/front-proxy-client.key",
            # Straight to the pods of an aggregated API: a connection to its cluster IP that
            # leaves before kube-proxy knows the Service would be kept, and answer 404 for ever.
            "--enable-aggregator-routing=true",
            *_TLS_FLAGS,
        ],
        f"{layout.API_SERVER}/readyz",
        certificates=_certificates(
            at, "apiserver", "apiserver-kubelet-client", "front-proxy-ca", "front-proxy-client"
        ),
        # By order it would wait for every watch to end; what survives `kill -9` needs no goodbye.
        stop_signal="KILL",
    )


def controller_manager(at: Layout) -> Service:
    """All controllers; no leader election, since there is nobody to lose against."""
    pki = at.pki
    kubeconfig = pki / "controller-manager.kubeconfig"
    return Service(
        "kube-controller-manager",
        [
            str(at.bin / "kube-controller-manager"),
            "--bind-address=127.0.0.1",
            "--leader-elect=false",
            f"--kubeconfig={kubeconfig}",
            f"--authentication-kubeconfig={kubeconfig}",
            f"--authorization-kubeconfig={kubeconfig}",
            "--use-service-account-credentials=true",
            f"--root-ca-file={pki}/ca.crt",
            f"--service-account-private-key-file={pki}/service-accounts.key",
            f"--cluster-signing-cert-file={pki}/ca.crt",
            f"--cluster-signing-key-file={pki}/ca.key",
            f"--cluster-cidr={layout.POD_NETWORK}",
            *_TLS_FLAGS,
        ],
        "https://127.0.0.1:10257/healthz",
        certificates=_certificates(at, "controller-manager"),
    )


def scheduler(at: Layout) -> Service:
    """The scheduler; no leader election here either."""
    kubeconfig = at.pki / "scheduler.kubeconfig"
    return Service(
        "kube-scheduler",
        [
            str(at.bin / "kube-scheduler"),
            "--bind-address=127.0.0.1",
            "--leader-elect=false",
            f"--kubeconfig={kubeconfig}",
            f"--authentication-kubeconfig={kubeconfig}",
            f"--authorization-kubeconfig={kubeconfig}",
            *_TLS_FLAGS,
        ],
        "https://127.0.0.1:10259/healthz",
        certificates=_certificates(at, "scheduler"),
    )


def kubelet(at: Layout) -> Service:
    """The kubelet, on the bridge's address."""
    config = at.config / "kubelet.yaml"
    content = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": layout.NODE_IP,
        "healthzBindAddress": "127.0.0.1",
        "readOnlyPort": 0,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{at.pki}/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": f"{at.pki}/kubelet-server.crt",
        "tlsPrivateKeyFile": f"{at.pki}/kubelet-server.key",
        "containerRuntimeEndpoint": f"unix://{at.containerd_socket}",
        "clusterDNS": [layout.DNS_SERVICE_IP],
        "clusterDomain": layout.CLUSTER_DOMAIN,
        # Both cgroup versions, without systemd: it may not be there.
        "cgroupDriver": "cgroupfs",
        "failCgroupV1": False,
        "enforceNodeAllocatable": [],
        "failSwapOn": False,
        "maxPods": 110,
        # By absolute values and by age: on a small or well-filled disk a percentage would evict.
        "evictionHard": {
            "memory.available": "100Mi",
            "nodefs.available": "500Mi",
            "imagefs.available": "500Mi",
        },
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "imageMaximumGCAge": "168h",
        "containerLogMaxSize": "10Mi",
        "containerLogMaxFiles": 3,
        "podLogsDir": str(at.pod_logs),
        "volumePluginDir": f"{at.kubelet}/volume-plugins",
        "serializeImagePulls": False,
        "registryPullQPS": 0,
        "eventRecordQPS": 0,
    }
    return Service(
        "kubelet",
        [
            str(at.bin / "kubelet"),
            f"--config={config}",
            f"--kubeconfig={at.pki}/kubelet.kubeconfig",
            f"--root-dir={at.kubelet}",
            # For cAdvisor, which otherwise knows pods but not their containers.
            f"--containerd={at.containerd_socket}",
            f"--hostname-override={layout.NODE_NAME}",
            f"--node-ip={layout.NODE_IP}",
            # What the example service prefers to run on, so that the preference is exercised.
            "--node-labels=disktype=ssd",
        ],
        "http://127.0.0.1:10248/healthz",
        {config: yaml.safe_dump(content, sort_keys=False)},
        certificates=_certificates(at, "kubelet", "kubelet-server"),
    )


def kube_proxy(at: Layout) -> Service:
    """kube-proxy in iptables mode."""
    config = at.config / "kube-proxy.yaml"
    content = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "clientConnection": {"kubeconfig": f"{at.pki}/kube-proxy.kubeconfig"},
        "clusterCIDR": str(layout.POD_NETWORK),
        "hostnameOverride": layout.NODE_NAME,
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
        "nodePortAddresses": [f"{layout.NODE_IP}/32"],
        # The machine's connection table is not ours to resize.
        "conntrack": {"maxPerCore": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
        "iptables": {"minSyncPeriod": "100ms"},
    }
    return Service(
        "kube-proxy",
        [str(at.bin / "kube-proxy"), f"--config={config}"],
        "http://127.0.0.1:10256/livez",
        {config: yaml.safe_dump(content, sort_keys=False)},
        certificates=_certificates(at, "kube-proxy"),
    )


def _certificates(at: Layout, *names: str) -> list[Path]:
    """Those files, and what every part trusts: the authority and the service accounts' key."""
    certificates = [at.pki / f"{name}.crt" for name in ("ca", *names)]
    return [*certificates, at.pki / "service-accounts.pub"]
