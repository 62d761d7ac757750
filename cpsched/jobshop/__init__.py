"""Job shop: each job a route of operations over machines; minimise the makespan."""
