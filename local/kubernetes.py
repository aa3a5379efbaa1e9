"""etcd and the Kubernetes components of the node: their flags and configuration files."""

import yaml

from local import layout
from local.daemon import Daemon
from local.layout import Layout

_TLS_FLAGS = ("--tls-min-version=VersionTLS12", "--profiling=false")


def daemons(paths: Layout) -> list[Daemon]:
    """etcd, the control plane and the node components, in the order of their dependencies."""
    return [
        etcd(paths),
        api_server(paths),
        controller_manager(paths),
        scheduler(paths),
        kubelet(paths),
        kube_proxy(paths),
    ]


def etcd(paths: Layout) -> Daemon:
    """One etcd member on a Unix socket in a private folder: it needs no certificates."""
    peer = "http://localhost:2380"
    return Daemon(
        "etcd",
        [
            str(paths.bin / "etcd"),
            f"--name={layout.NODE_NAME}",
            f"--data-dir={paths.etcd}",
            f"--listen-client-urls=unix://{paths.etcd_socket}",
            f"--listen-peer-urls=unix://{paths.run}/etcd-peer.sock",
            # Not used, but etcd requires URLs with a host and a port.
            "--advertise-client-urls=http://localhost:2379",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster={layout.NODE_NAME}={peer}",
            # A power failure may lose the last second of a development cluster, which `pulumi up`
            # restores; with fsync every write would wait for the disk.
            "--unsafe-no-fsync",
            "--auto-compaction-retention=1h",
            "--quota-backend-bytes=2147483648",
            "--log-level=warn",
        ],
        str(paths.etcd_socket),
    )


def api_server(paths: Layout) -> Daemon:
    """kube-apiserver on the address of the bridge, which only this machine and its pods reach."""
    pki = paths.pki
    return Daemon(
        "kube-apiserver",
        [
            str(paths.bin / "kube-apiserver"),
            f"--bind-address={layout.NODE_IP}",
            f"--advertise-address={layout.NODE_IP}",
            "--secure-port=6443",
            f"--etcd-servers=unix://{paths.etcd_socket}",
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
            f"--service-account-key-file={pki}/sa.pub",
            f"--service-account-signing-key-file={pki}/sa.key",
            f"--requestheader-client-ca-file={pki}/front-proxy-ca.crt",
            "--requestheader-allowed-names=front-proxy-client",
            "--requestheader-username-headers=X-Remote-User",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            f"--proxy-client-cert-file={pki}/front-proxy-client.crt",
            f"--proxy-client-key-file={pki}/front-proxy-client.key",
            # Connects to the pods of an aggregated API directly. A connection to its cluster IP
            # made before kube-proxy has programmed the Service would be kept and return 404.
            "--enable-aggregator-routing=true",
            *_TLS_FLAGS,
        ],
        f"{layout.API_SERVER}/readyz",
        certificates=[pki / "apiserver.crt"],
        # On SIGTERM it would wait for every watch to end.
        stop_signal="KILL",
    )


def controller_manager(paths: Layout) -> Daemon:
    """kube-controller-manager. There is one replica, so no leader election."""
    pki = paths.pki
    kubeconfig = pki / "controller-manager.conf"
    return Daemon(
        "kube-controller-manager",
        [
            str(paths.bin / "kube-controller-manager"),
            "--bind-address=127.0.0.1",
            "--leader-elect=false",
            f"--kubeconfig={kubeconfig}",
            f"--authentication-kubeconfig={kubeconfig}",
            f"--authorization-kubeconfig={kubeconfig}",
            "--use-service-account-credentials=true",
            f"--root-ca-file={pki}/ca.crt",
            f"--service-account-private-key-file={pki}/sa.key",
            f"--cluster-signing-cert-file={pki}/ca.crt",
            f"--cluster-signing-key-file={pki}/ca.key",
            f"--cluster-cidr={layout.POD_CIDR}",
            # The network policy controller reads the node's pod CIDR.
            "--allocate-node-cidrs=true",
            f"--node-cidr-mask-size={layout.POD_CIDR.prefixlen}",
            *_TLS_FLAGS,
        ],
        "https://127.0.0.1:10257/healthz",
        certificates=[kubeconfig],
    )


def scheduler(paths: Layout) -> Daemon:
    """kube-scheduler. There is one replica, so no leader election."""
    kubeconfig = paths.pki / "scheduler.conf"
    return Daemon(
        "kube-scheduler",
        [
            str(paths.bin / "kube-scheduler"),
            "--bind-address=127.0.0.1",
            "--leader-elect=false",
            f"--kubeconfig={kubeconfig}",
            f"--authentication-kubeconfig={kubeconfig}",
            f"--authorization-kubeconfig={kubeconfig}",
            *_TLS_FLAGS,
        ],
        "https://127.0.0.1:10259/healthz",
        certificates=[kubeconfig],
    )


def kubelet(paths: Layout) -> Daemon:
    """The kubelet on the address of the bridge."""
    config = paths.config / "kubelet.yaml"
    kubeconfig = paths.pki / "kubelet.conf"
    content = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": layout.NODE_IP,
        "healthzBindAddress": "127.0.0.1",
        "readOnlyPort": 0,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{paths.pki}/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        # The API server has the same address, so its serving certificate is valid here too.
        "tlsCertFile": f"{paths.pki}/apiserver.crt",
        "tlsPrivateKeyFile": f"{paths.pki}/apiserver.key",
        "containerRuntimeEndpoint": f"unix://{paths.containerd_socket}",
        "clusterDNS": [layout.DNS_SERVICE_IP],
        "clusterDomain": layout.CLUSTER_DOMAIN,
        # Supports cgroup v1 and v2, and machines without systemd.
        "cgroupDriver": "cgroupfs",
        "failCgroupV1": False,
        "enforceNodeAllocatable": [],
        "failSwapOn": False,
        "maxPods": 110,
        # Absolute values and ages: percentages would evict pods on a small or nearly full disk.
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
        "podLogsDir": str(paths.pod_logs),
        "volumePluginDir": f"{paths.kubelet}/volume-plugins",
        "serializeImagePulls": False,
        "registryPullQPS": 0,
        "eventRecordQPS": 0,
    }
    return Daemon(
        "kubelet",
        [
            str(paths.bin / "kubelet"),
            f"--config={config}",
            f"--kubeconfig={kubeconfig}",
            f"--root-dir={paths.kubelet}",
            # Without it cAdvisor reports metrics of pods but not of their containers.
            f"--containerd={paths.containerd_socket}",
            f"--hostname-override={layout.NODE_NAME}",
            f"--node-ip={layout.NODE_IP}",
            # Matches the preferred node affinity of the example service.
            "--node-labels=disktype=ssd",
        ],
        "http://127.0.0.1:10248/healthz",
        {config: yaml.safe_dump(content, sort_keys=False)},
        certificates=[kubeconfig],
    )


def kube_proxy(paths: Layout) -> Daemon:
    """kube-proxy in iptables mode."""
    config = paths.config / "kube-proxy.yaml"
    kubeconfig = paths.pki / "kube-proxy.conf"
    content = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "clientConnection": {"kubeconfig": str(kubeconfig)},
        "clusterCIDR": str(layout.POD_NETWORK),
        "hostnameOverride": layout.NODE_NAME,
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
        "nodePortAddresses": [f"{layout.NODE_IP}/32"],
        # Leaves the size of the machine's connection tracking table unchanged.
        "conntrack": {"maxPerCore": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
        "iptables": {"minSyncPeriod": "100ms"},
    }
    return Daemon(
        "kube-proxy",
        [str(paths.bin / "kube-proxy"), f"--config={config}"],
        "http://127.0.0.1:10256/livez",
        {config: yaml.safe_dump(content, sort_keys=False)},
        certificates=[kubeconfig],
    )


def network_policy_controller(paths: Layout) -> Daemon:
    """kube-router's network policy controller, which enforces NetworkPolicies with iptables."""
    kubeconfig = paths.pki / "kube-router.conf"
    return Daemon(
        "kube-router",
        [
            str(paths.bin / "kube-router"),
            f"--kubeconfig={kubeconfig}",
            f"--hostname-override={layout.NODE_NAME}",
            f"--service-cluster-ip-range={layout.SERVICE_NETWORK}",
            "--run-router=false",
            "--run-service-proxy=false",
            "--enable-ipv6=false",
            # Drops the traffic of a new pod until its rules are in place.
            "--netpol-default-deny=true",
            "--health-addr=127.0.0.1",
            "--health-port=20244",
        ],
        "http://127.0.0.1:20244/healthz",
        certificates=[kubeconfig],
    )
