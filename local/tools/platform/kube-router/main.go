// Command kube-router is kube-router's network policy controller, without its router and service proxy.
package main

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/cloudnativelabs/kube-router/v2/pkg/controllers/netpol"
	"github.com/cloudnativelabs/kube-router/v2/pkg/healthcheck"
	"github.com/cloudnativelabs/kube-router/v2/pkg/options"
	"github.com/cloudnativelabs/kube-router/v2/pkg/svcip"
	"github.com/spf13/pflag"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
)

func main() {
	config := options.NewKubeRouterConfig()
	config.AddFlags(pflag.CommandLine)
	pflag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, config); err != nil {
		klog.Error(err)
		os.Exit(1)
	}
}

func run(ctx context.Context, config *options.KubeRouterConfig) error {
	clientConfig, err := clientcmd.BuildConfigFromFlags("", config.Kubeconfig)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(clientConfig)
	if err != nil {
		return err
	}
	if err := waitForNode(ctx, client, config); err != nil {
		return err
	}
	var running sync.WaitGroup
	heartbeats := make(chan *healthcheck.ControllerHeartbeat)
	informerFactory := informers.NewSharedInformerFactory(client, 0)
	controller, err := newController(client, config, informerFactory)
	if err != nil {
		return err
	}
	informerFactory.Start(ctx.Done())
	informerFactory.WaitForCacheSync(ctx.Done())
	health, err := healthcheck.NewHealthController(config)
	if err != nil {
		return err
	}
	health.SetAlive()
	running.Add(3)
	go health.RunServer(ctx.Done(), &running)
	go health.RunCheck(heartbeats, ctx.Done(), &running)
	go controller.Run(heartbeats, ctx.Done(), &running)
	<-ctx.Done()
	return nil
}

// waitForNode waits until the kubelet has registered the node's address and, with default deny, the
// controller manager has assigned its pod CIDR.
func waitForNode(ctx context.Context, client kubernetes.Interface, config *options.KubeRouterConfig) error {
	return wait.PollUntilContextCancel(ctx, 200*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		node, err := client.CoreV1().Nodes().Get(ctx, config.HostnameOverride, meta.GetOptions{})
		if err != nil {
			klog.Infof("waiting for node %s: %v", config.HostnameOverride, err)
			return false, nil
		}
		hasPodCIDR := node.Spec.PodCIDR != "" || !config.NetPolDefaultDeny
		return len(node.Status.Addresses) > 0 && hasPodCIDR, nil
	})
}

// newController returns a controller that receives the events of the factory's informers.
func newController(
	client kubernetes.Interface, config *options.KubeRouterConfig, factory informers.SharedInformerFactory,
) (*netpol.NetworkPolicyController, error) {
	pods := factory.Core().V1().Pods().Informer()
	namespaces := factory.Core().V1().Namespaces().Informer()
	policies := factory.Networking().V1().NetworkPolicies().Informer()
	iptables, ipsets, err := netpol.NewIPTablesHandlers(config)
	if err != nil {
		return nil, err
	}
	ranges, err := svcip.NewValidator(svcip.Config{
		ClusterIPCIDRs: config.ClusterIPCIDRs,
		EnableIPv4:     config.EnableIPv4,
		EnableIPv6:     config.EnableIPv6,
	})
	if err != nil {
		return nil, err
	}
	controller, err := netpol.NewNetworkPolicyController(
		client, config, pods, policies, namespaces, &sync.Mutex{}, nil, iptables, ipsets, ranges)
	if err != nil {
		return nil, err
	}
	if _, err := pods.AddEventHandler(controller.PodEventHandler); err != nil {
		return nil, err
	}
	if _, err := namespaces.AddEventHandler(controller.NamespaceEventHandler); err != nil {
		return nil, err
	}
	_, err = policies.AddEventHandler(controller.NetworkPolicyEventHandler)
	return controller, err
}
