module addonctl/cluster/faulty

go 1.26.0
