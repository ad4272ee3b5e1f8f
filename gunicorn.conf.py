"""gunicorn: one process a core, two threads each; the knowledge is loaded once and shared by fork."""

import multiprocessing

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
control_socket_disable = True
