"""The edges: everything that reaches a cluster, AWS, files or programs. Only this package may import SDKs."""
