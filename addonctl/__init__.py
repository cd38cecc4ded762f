"""addonctl: the add-on manager for Amazon EKS."""
