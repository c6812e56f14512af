"""Two processes at one file, one of them made slow where the other can come between."""

from concurrent.futures import ThreadPoolExecutor

from test_failed_syncs import needs_trace, traced


@needs_trace
def test_a_fork_that_is_being_made_can_be_opened(server, endpoint):
    """VACUUM makes the free space map while somebody else looks whether there is one."""
    with server.superuser(endpoint) as maker, server.superuser(endpoint) as other, ThreadPoolExecutor() as pool:
        other.execute("CREATE TABLE raced (filler text) WITH (autovacuum_enabled = off)")
        other.execute("INSERT INTO raced VALUES (repeat('x', 1000))")
        # Each open ends a third of a second after the kernel has made the file.
        with traced(maker.info.backend_pid, "/dev/null", "-e", "trace=openat", "-e", "inject=openat:delay_exit=300000"):
            vacuum = pool.submit(maker.execute, "VACUUM raced")
            rows = 1
            while not vacuum.done():
                # A session's first row asks the free space map, if there is one, and makes none.
                with server.superuser(endpoint) as newcomer:
                    newcomer.execute("INSERT INTO raced VALUES ('y')")
                rows += 1
            vacuum.result()
        assert other.execute("SELECT count(*) FROM raced").fetchone()[0] == rows
        assert rows > 20, "hardly anybody came between"
