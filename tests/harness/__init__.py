"""What the Python suites and the benchmarks share: a private server, its processes, clients, pgbench."""
