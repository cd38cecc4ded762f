"""EKS over HTTP: moto's server with the operations that it lacks and EKS's real manners (see server.py)."""
