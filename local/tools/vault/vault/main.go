// vault is Vault's server in development mode: in memory, unsealed, with the key-value engine at
// secret/, the transit engine and the Kubernetes auth method. Vault's own command compiles all of its
// plugins, storages and the SDKs of eight clouds.
//
// VAULT_DEV_LISTEN_ADDRESS and VAULT_DEV_ROOT_TOKEN_ID are those of `vault server -dev`.
package main

import (
	"context"
	"net/http"
	"os"
	"time"

	"github.com/hashicorp/go-hclog"
	kubernetes "github.com/hashicorp/vault-plugin-auth-kubernetes"
	kv "github.com/hashicorp/vault-plugin-secrets-kv"
	"github.com/hashicorp/vault/builtin/logical/transit"
	"github.com/hashicorp/vault/helper/namespace"
	vaulthttp "github.com/hashicorp/vault/http"
	"github.com/hashicorp/vault/internalshared/configutil"
	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/sdk/physical/inmem"
	"github.com/hashicorp/vault/vault"
)

// noPlugins is an empty registry of external plugins: the engines are compiled in.
type noPlugins struct{}

func (noPlugins) Contains(string, consts.PluginType) bool { return false }

func (noPlugins) Get(string, consts.PluginType) (func() (any, error), bool) { return nil, false }

func (noPlugins) Keys(consts.PluginType) []string { return nil }

func (noPlugins) DeprecationStatus(string, consts.PluginType) (consts.DeprecationStatus, bool) {
	return consts.Unknown, false
}

func (noPlugins) IsBuiltinEntPlugin(string, consts.PluginType) bool { return false }

func main() {
	logger := hclog.New(&hclog.LoggerOptions{Level: hclog.Warn})
	if err := serve(logger); err != nil {
		logger.Error(err.Error())
		os.Exit(1)
	}
}

func serve(logger hclog.Logger) error {
	storage, err := inmem.NewInmem(nil, logger)
	if err != nil {
		return err
	}
	core, err := vault.NewCore(&vault.CoreConfig{
		Physical:           storage,
		StorageType:        "inmem",
		Logger:             logger,
		DisableMlock:       true,
		BuiltinRegistry:    noPlugins{},
		LogicalBackends:    map[string]logical.Factory{"kv": kv.Factory, "transit": transit.Factory},
		CredentialBackends: map[string]logical.Factory{"kubernetes": kubernetes.Factory},
	})
	if err != nil {
		return err
	}
	if err := initialize(core); err != nil {
		return err
	}
	server := &http.Server{
		Addr: os.Getenv("VAULT_DEV_LISTEN_ADDRESS"),
		Handler: vaulthttp.Handler.Handler(&vault.HandlerProperties{
			Core: core,
			ListenerConfig: &configutil.Listener{
				Type:               "tcp",
				MaxRequestSize:     vaulthttp.DefaultMaxRequestSize,
				MaxRequestDuration: vault.DefaultMaxRequestDuration,
			},
		}),
		ReadHeaderTimeout: 10 * time.Second,
	}
	return server.ListenAndServe()
}

func initialize(core *vault.Core) error {
	ctx := namespace.RootContext(context.Background())
	initialized, err := core.Initialize(ctx, &vault.InitParams{
		BarrierConfig: &vault.SealConfig{SecretShares: 1, SecretThreshold: 1},
	})
	if err != nil {
		return err
	}
	if _, err := core.Unseal(initialized.SecretShares[0]); err != nil {
		return err
	}
	for _, request := range []struct {
		path string
		data map[string]any
	}{
		{"auth/token/create", map[string]any{
			"id":                os.Getenv("VAULT_DEV_ROOT_TOKEN_ID"),
			"policies":          []string{"root"},
			"no_parent":         true,
			"no_default_policy": true,
		}},
		{"sys/mounts/secret", map[string]any{
			"type":    "kv",
			"options": map[string]string{"version": "2"},
		}},
		{"sys/mounts/transit", map[string]any{"type": "transit"}},
		{"sys/auth/kubernetes", map[string]any{"type": "kubernetes"}},
	} {
		response, err := core.HandleRequest(ctx, &logical.Request{
			Operation:   logical.UpdateOperation,
			ClientToken: initialized.RootToken,
			Path:        request.path,
			Data:        request.data,
		})
		if err != nil {
			return err
		}
		if response.IsError() {
			return response.Error()
		}
	}
	return nil
}
