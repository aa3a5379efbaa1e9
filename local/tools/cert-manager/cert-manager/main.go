// Command cert-manager runs the controllers of cert-manager without leader election and without
// those for annotated Ingresses and Gateways and for CertificateSigningRequests.
//
// cert-manager's own command is not in its Go module. This one accepts those of its flags that are
// set, and runs the same controllers.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/clock"

	"github.com/cert-manager/cert-manager/pkg/acme/accounts"
	"github.com/cert-manager/cert-manager/pkg/controller"
	_ "github.com/cert-manager/cert-manager/pkg/controller/acmechallenges"
	_ "github.com/cert-manager/cert-manager/pkg/controller/acmeorders"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/acme"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/approver"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/ca"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/selfsigned"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/vault"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/issuing"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/keymanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/metrics"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/readiness"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/requestmanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/revisionmanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/trigger"
	_ "github.com/cert-manager/cert-manager/pkg/controller/clusterissuers"
	_ "github.com/cert-manager/cert-manager/pkg/controller/issuers"
	"github.com/cert-manager/cert-manager/pkg/healthz"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/acme"
	dnsutil "github.com/cert-manager/cert-manager/pkg/issuer/acme/dns/util"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/ca"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/selfsigned"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/vault"
	logf "github.com/cert-manager/cert-manager/pkg/logs"
	"github.com/cert-manager/cert-manager/pkg/metrics"
)

const (
	metricsAddress = ":9402"
	healthzAddress = ":9403"
	workers        = 5
	// Requests per second to the Kubernetes API, and their burst: cert-manager's own defaults.
	apiQPS, apiBurst = 20, 50
	// The time after which leader election counts as stuck. There is none.
	leaderElectionTimeout = 20 * time.Second
	shutdownTimeout       = 5 * time.Second
)

type options struct {
	clusterResourceNamespace string
	solverImage              string
	dnsNameservers           string
	onlyDNSNameservers       bool
	enableGatewayAPI         bool
}

func main() {
	var opts options
	flag.StringVar(&opts.clusterResourceNamespace, "cluster-resource-namespace", "", "namespace of the Secrets of ClusterIssuers")
	flag.StringVar(&opts.solverImage, "acme-http01-solver-image", "", "image of the pods that answer HTTP-01 challenges")
	flag.StringVar(&opts.dnsNameservers, "dns01-recursive-nameservers", "", "comma-separated DNS servers, host:port, that DNS-01 records are checked with")
	flag.BoolVar(&opts.onlyDNSNameservers, "dns01-recursive-nameservers-only", false, "do not query the authoritative DNS servers")
	flag.BoolVar(&opts.enableGatewayAPI, "enable-gateway-api", false, "answer HTTP-01 challenges by HTTPRoutes; needs the CRDs of the Gateway API")
	election := flag.Bool("leader-elect", false, "only false is supported")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	logf.InitLogs()
	defer logf.FlushLogs()
	ctx = logf.NewContext(ctx, logf.Log, "controller")
	if *election {
		fmt.Fprintln(os.Stderr, "leader election is not supported: use -leader-elect=false")
		os.Exit(2)
	}
	if err := run(ctx, opts); err != nil && !errors.Is(err, context.Canceled) {
		logf.Log.Error(err, "the controllers stopped")
		logf.FlushLogs()
		os.Exit(1)
	}
}

func run(ctx context.Context, opts options) error {
	group, ctx := errgroup.WithContext(ctx)
	factory, err := controller.NewContextFactory(ctx, contextOptions(ctx, opts))
	if err != nil {
		return err
	}
	base, err := factory.Build()
	if err != nil {
		return err
	}
	if err := serveMetrics(ctx, group, base.Metrics); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", healthzAddress)
	if err != nil {
		return err
	}
	group.Go(func() error { return healthz.NewServer(leaderElectionTimeout).Start(ctx, listener) })
	for name, construct := range controller.Known() {
		if strings.HasPrefix(name, "certificatesigningrequests-") {
			continue
		}
		one, err := construct(factory)
		if err != nil {
			return fmt.Errorf("controller %s: %w", name, err)
		}
		group.Go(func() error { return one.Run(workers, ctx) })
	}
	base.SharedInformerFactory.Start(ctx.Done())
	base.KubeSharedInformerFactory.Start(ctx.Done())
	base.HTTP01ResourceMetadataInformersFactory.Start(ctx.Done())
	if opts.enableGatewayAPI {
		base.GWShared.Start(ctx.Done())
	}
	return group.Wait()
}

func contextOptions(ctx context.Context, opts options) controller.ContextOptions {
	nameservers := dnsutil.RecursiveNameservers
	if opts.dnsNameservers != "" {
		nameservers = strings.Split(opts.dnsNameservers, ",")
	}
	return controller.ContextOptions{
		KubernetesAPIQPS:   apiQPS,
		KubernetesAPIBurst: apiBurst,
		Clock:              clock.RealClock{},
		Metrics:            metrics.New(logf.FromContext(ctx), clock.RealClock{}),
		ACMEOptions: controller.ACMEOptions{
			HTTP01SolverImage:                 opts.solverImage,
			HTTP01SolverResourceRequestCPU:    resource.MustParse("10m"),
			HTTP01SolverResourceRequestMemory: resource.MustParse("64Mi"),
			HTTP01SolverResourceLimitsCPU:     resource.MustParse("100m"),
			HTTP01SolverResourceLimitsMemory:  resource.MustParse("64Mi"),
			ACMEHTTP01SolverRunAsNonRoot:      true,
			DNS01Nameservers:                  nameservers,
			DNS01CheckAuthoritative:           !opts.onlyDNSNameservers,
			DNS01CheckRetryPeriod:             10 * time.Second,
			AccountRegistry:                   accounts.NewDefaultRegistry(),
		},
		ConfigOptions:    controller.ConfigOptions{EnableGatewayAPI: opts.enableGatewayAPI},
		SchedulerOptions: controller.SchedulerOptions{MaxConcurrentChallenges: 60},
		IssuerOptions: controller.IssuerOptions{
			ClusterIssuerAmbientCredentials: true,
			ClusterResourceNamespace:        opts.clusterResourceNamespace,
		},
	}
}

func serveMetrics(ctx context.Context, group *errgroup.Group, values *metrics.Metrics) error {
	listener, err := net.Listen("tcp", metricsAddress)
	if err != nil {
		return err
	}
	server := values.NewServer(listener)
	group.Go(func() error {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		end, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
		defer cancel()
		return server.Shutdown(end)
	})
	return nil
}
