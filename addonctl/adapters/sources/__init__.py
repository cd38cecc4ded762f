"""Where a Snapshot can be read from: a live cluster, a saved snapshot, manifests and dumps, the demo."""
