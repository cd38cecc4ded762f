module addonctl/cluster/witness

go 1.26.0
