"""VM rescheduling: VMs on the NUMA nodes of PMs, and the few migrations that tidy them up."""
