// Package deletion without its SQLite store, which Loki does not use by default and whose translated
// C code takes a tenth of the build time. The default store is BoltDB.
package deletion

import (
	"context"
	"errors"
	"time"

	"github.com/grafana/loki/v3/pkg/compactor/deletion/deletionproto"
	"github.com/grafana/loki/v3/pkg/storage/stores/shipper/indexshipper/storage"
)

var errWithoutSQLite = errors.New("built without SQLite: use boltdb as the store of delete requests")

type userCacheGen struct {
	userID   string
	cacheGen string
}

type deleteRequestsStoreSQLite struct{ DeleteRequestsStore }

func newDeleteRequestsStoreSQLite(string, storage.Client, time.Duration) (*deleteRequestsStoreSQLite, error) {
	return nil, errWithoutSQLite
}

func (*deleteRequestsStoreSQLite) isEmpty(context.Context) (bool, error) {
	return false, errWithoutSQLite
}

func (*deleteRequestsStoreSQLite) copyData(
	context.Context, []deletionproto.DeleteRequest, []userCacheGen,
) error {
	return errWithoutSQLite
}

func (*deleteRequestsStoreSQLite) fixProcessedShardCount(context.Context) error {
	return errWithoutSQLite
}

func cleanupSQLiteDB(string, storage.Client) error { return nil }
