"""A real Kubernetes cluster on one machine, without a container registry.

`build.py` makes binaries and images from Go modules into a cache; `cluster.py` runs a control plane; `node.py` adds
real nodes (containerd and kubelet, each in a network namespace of its own) and kwok adds simulated ones. By hand:
`make cluster`, `make lab`.
"""
