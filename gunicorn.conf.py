"""gunicorn: one process a core, two threads each; the knowledge is loaded once and shared by fork."""

import multiprocessing
import os
import sys

preload_app = True
worker_class = "gthread"
workers = max(2, multiprocessing.cpu_count())
threads = 2
timeout = 30
graceful_timeout = 10
keepalive = 5
# No leak was ever seen; a fresh worker now and then is insurance against the C engine.
max_requests = 20_000
max_requests_jitter = 2_000
limit_request_line = 4094
limit_request_fields = 60
limit_request_field_size = 8190
accesslog = None
no_control_socket = True


def when_ready(server):
    """Before the first worker: stop when the service is open and others than this machine could ask."""
    from service import auth  # noqa: PLC0415 (the service is there once gunicorn has set its path)
    from service.settings import Settings, WrongSetting  # noqa: PLC0415

    # With reuse_port the sockets are those of the workers, and there are only the addresses that were asked for.
    addresses = [listener.getsockname() for listener in server.LISTENERS] or server.cfg.address
    try:
        auth.guard(addresses, Settings.read(os.environ))
    except (auth.Unprotected, WrongSetting) as error:
        sys.exit(f"lumbar: {error}")


on_reload = when_ready
