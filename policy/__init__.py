"""What every stack's objects have to keep, checked at preview and in rendered manifests."""
