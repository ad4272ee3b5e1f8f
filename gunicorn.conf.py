"""gunicorn: one process a core, two threads each; the knowledge is loaded once and shared by fork.

What was measured for these choices, and how to reload: docs/serving.md.
"""

import multiprocessing

preload_app = True
worker_class = "service.worker.Worker"  # gthread that hands over whole requests only
workers = max(2, multiprocessing.cpu_count())
threads = 2
worker_connections = 500  # a worker that runs out of file descriptors dies; 1024 is a common limit
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
control_socket_disable = True


def post_request(worker, req, environ, resp):  # noqa: ARG001
    """A worker whose engine is broken takes no more requests and leaves; the master forks another from sound memory."""
    if environ.get("lumbar.broken") and worker.alive:
        worker.log.error("engine broken; worker %s leaves", worker.pid)
        worker.alive = False
